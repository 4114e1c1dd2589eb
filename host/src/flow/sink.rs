//! A sink: somewhere that messages go.

use super::message::Message;
use crate::ledger::Reason;
use futures_util::future::BoxFuture;

/// PUB, or whatever else takes messages. It counts them at its own hop.
pub trait Sink: Send + Sync {
    /// Takes a message, without waiting.
    ///
    /// # Errors
    /// When there is no room for it. Then nothing has become of it, and nothing was counted.
    fn offer(&self, message: &Message) -> Result<Receipt, Full>;
}

/// What is known of a message that a sink took.
pub enum Receipt {
    /// It has its place, and leaves in its turn.
    Placed,
    /// Where it goes says later whether it has arrived.
    Pending(Arrival),
}

/// Ends when it is known whether a message has arrived; if not, with the reason that the ledger has.
pub type Arrival = BoxFuture<'static, Result<(), Reason>>;

/// A sink has no room for a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Full(pub String);
