//! A settlement: by which a source that can deliver a message again hears what became of it.

mod lost;

pub use lost::{Lost, LostMessages};

use crate::ledger::Reason;
use std::fmt::Debug;

/// Goes with one message through a flow. Dropped without a word, the flow has given the message up.
pub trait Settlement: Debug + Send {
    /// The message needs not come again: all that it became has arrived, or it was dropped as the flow is told to.
    fn done(self: Box<Self>);

    /// A stage failed at it, and nobody has written it down.
    fn failed(self: Box<Self>, lost: Lost);

    /// What it became in the flow of this name was not taken where it went to.
    fn not_taken(self: Box<Self>, flow: &str, reason: Reason);
}
