//! The actions that the core asks for, and the result of sending a reply.

use super::reply::QueuedReply;
use crate::ledger::Reason;
use crate::record::dead_letters::NewLetter;

/// The texts of libzmq's errors for a client that has gone, and for one that has no room.
pub(crate) const UNREACHABLE: &str = "host unreachable";
pub(crate) const NO_ROOM: &str = "resource temporarily unavailable";

/// An action at the frontend, or for the dead letters.
#[derive(Debug)]
pub(crate) enum Action<'a> {
    /// Send this reply, and pass the result to the core.
    Send(&'a QueuedReply),
    /// End the connection of the client with this identity, which does not read its replies.
    CutOff(Vec<u8>),
    /// Write a dead letter.
    WriteDeadLetter(Box<NewLetter>),
}

/// The result of sending a reply.
#[derive(Debug)]
pub(crate) enum Sent {
    /// libzmq took it.
    Out,
    /// Its client has no room for it.
    Full,
    /// It cannot be sent: the reason for the ledger, and the error.
    Failed(Reason, String),
}
