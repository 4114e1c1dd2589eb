//! A sink: where messages go to.

use super::message::Message;
use crate::ledger::Reason;
use futures_util::future::BoxFuture;
use std::task::Waker;
use std::time::Duration;

/// Takes messages, as the publisher does. It counts them at its own hop.
pub trait Sink: Send + Sync {
    /// Its name, which is unique among the sinks of a host.
    fn name(&self) -> &str;

    /// Takes a message, without waiting.
    ///
    /// # Errors
    /// When there is no room for it, or it has ended. Then it was neither sent nor counted.
    fn offer(&self, message: &Message) -> Result<Receipt, OfferError>;

    /// Takes a place for a message that is to be sent only if others have a place too.
    ///
    /// # Errors
    /// As [`Self::offer`].
    fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError>;

    /// Has the waker woken once there is room for so many bytes, or the sink has ended. Returns whether that is so
    /// already; then nobody is woken.
    fn await_room(&self, bytes: usize, waker: &Waker) -> bool;

    /// How long whoever waits for a receipt is to wait, of a sink that gives them when messages are stored; then whether this one
    /// is stored is not known. None of a sink that gives none, or gives them at once.
    fn receipt_time_max(&self) -> Option<Duration> {
        None
    }
}

/// Sends the message that a place was taken for, which fails only if the sink has ended meanwhile; dropped, it gives the
/// place back, and nothing was sent or counted.
pub type Reserved<'a> = Box<dyn FnOnce() -> Result<Receipt, OfferError> + Send + 'a>;

/// What a sink knows of a message that it took.
pub enum Receipt {
    /// It is queued, and leaves in its turn.
    Placed,
    /// The future says later whether it has arrived.
    Pending(Arrival),
}

/// Completes when it is known whether a message has arrived; if it has not, with the reason under which the ledger
/// counts it.
pub type Arrival = BoxFuture<'static, Result<(), Reason>>;

/// Why a sink did not take a message, with a text for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// There is no room for it now.
    #[error("{0}")]
    Full(String),
    /// It takes nothing any more.
    #[error("{0}")]
    Closed(String),
}
