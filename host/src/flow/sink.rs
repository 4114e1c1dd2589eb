//! A sink: where messages go to.

use super::message::Message;
use crate::ledger::Reason;
use futures_util::future::BoxFuture;

/// Takes messages, as the publisher does. It counts them at its own hop.
pub trait Sink: Send + Sync {
    /// Takes a message, without waiting.
    ///
    /// # Errors
    /// When there is no room for it. Then it was neither sent nor counted.
    fn offer(&self, message: &Message) -> Result<Receipt, Full>;
}

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

/// A sink has no room for a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Full(pub String);
