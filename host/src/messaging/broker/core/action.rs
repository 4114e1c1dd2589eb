//! What the core wants done, and what it hears of that.

use super::reply::QueuedReply;
use crate::dead_letters::Lost;
use crate::ledger::Reason;

/// What libzmq says of a client that has gone, and of one that has no room.
pub(crate) const UNREACHABLE: &str = "host unreachable";
pub(crate) const NO_ROOM: &str = "resource temporarily unavailable";

/// What is to be done at the frontend, or for the dead letters.
#[derive(Debug)]
pub(crate) enum Action<'a> {
    /// To send this reply; the core is to be told then what has become of it.
    Send(&'a QueuedReply),
    /// To end the connection of the client with this identity: it does not read.
    CutOff(Vec<u8>),
    /// To write a dead letter.
    Bury(Lost),
}

/// What has become of a reply that was to be sent.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It is on its way.
    Out,
    /// Its client has no room for it.
    Full,
    /// It cannot be sent, and why.
    Failed(Reason, String),
}
