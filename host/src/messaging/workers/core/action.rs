//! What is to be done at the socket of a pool.

use super::workers::WorkerId;
use crate::messaging::socket::monitor::Descriptor;
use crate::messaging::workers::protocol::{Token, WorkerFrames};
use bytes::Bytes;

/// What is to be done at the socket.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the larger one")]
pub(in crate::messaging::workers) enum Action {
    /// Send this to the peer of this identity. If it cannot be, and it was for a worker, the core is told.
    Send { to: Bytes, frames: WorkerFrames, of: Option<(WorkerId, Option<Token>)> },
    /// End the connection of this peer, for this reason.
    CutOff(Descriptor, Bytes, &'static str),
}
