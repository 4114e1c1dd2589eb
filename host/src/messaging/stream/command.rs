//! The commands to the streams' loop.

use super::opening::Opening;
use super::state::SocketId;
use crate::flow::Inlet;
use crate::messaging::socket::BindError;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;
use tokio::sync::oneshot;

/// What another thread wants of the loop.
pub(super) enum Command {
    /// Open a socket, and answer with its endpoints.
    Open(Box<Opening>, SyncSender<Result<Vec<String>, BindError>>),
    /// From now on these flows read the socket.
    SetInlets(SocketId, Vec<Arc<Inlet>>),
    /// Read the socket, or do not.
    Pause(SocketId, bool),
    /// End the socket by this time, and drop the sender when it is closed.
    End(SocketId, Instant, oneshot::Sender<()>),
    /// End the loop. What is still open is closed without delay.
    Stop,
}
