//! What the core wants done.

use super::news::News;
use crate::messaging::socket::Frames;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::clients::worker) enum Action {
    /// Connect a new socket to the host.
    Open,
    /// Send it this.
    Send(Frames),
    /// Close the socket. What was sent goes out first, if `flush` says so.
    Close { flush: bool },
    /// Get the command ready for messages.
    Prepare,
    /// Give it a message.
    Run(Frames),
    /// Tell the user.
    Tell(News),
    /// End: there is nothing more to do.
    End,
}
