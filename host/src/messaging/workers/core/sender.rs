//! What comes from peers, and who it came from.

use crate::messaging::socket::monitor::Descriptor;
use crate::messaging::workers::protocol::WorkerFrames;
use bytes::Bytes;

/// A peer, by what libzmq tells of it.
#[derive(Clone, Debug)]
pub(in crate::messaging::workers) struct Sender {
    pub(in crate::messaging::workers) identity: Bytes,
    pub(in crate::messaging::workers) connection: Descriptor,
    /// The CURVE key that it showed, in Z85.
    pub(in crate::messaging::workers) key: Option<String>,
}

/// A message of a peer.
#[derive(Clone, Debug)]
pub(in crate::messaging::workers) struct Incoming {
    pub(in crate::messaging::workers) from: Sender,
    pub(in crate::messaging::workers) frames: WorkerFrames,
    /// Whether these are all frames that it has.
    pub(in crate::messaging::workers) is_whole: bool,
}

/// A connection that has ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::messaging::workers) struct Ended {
    pub(in crate::messaging::workers) connection: Descriptor,
    /// libzmq ended it, since its peer sent more than one may.
    pub(in crate::messaging::workers) sent_too_much: bool,
}
