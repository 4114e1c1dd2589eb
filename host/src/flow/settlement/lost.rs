//! A message that a flow failed at, and who takes such messages.

use crate::flow::{Failure, Message, Met, ServedBy};
use std::sync::Arc;

/// A message that a flow failed at.
#[derive(Debug)]
pub struct Lost {
    /// The flow's name.
    pub flow: String,
    /// The name of the stage that failed.
    pub stage: String,
    /// The number of the call of the first stage.
    pub number: u64,
    /// The plugins that it met, in order.
    pub met: Met,
    /// What failed it; none if no plugin was reached.
    pub by: Option<Arc<ServedBy>>,
    /// Why.
    pub failure: Failure,
    /// The message as it came in.
    pub input: Message,
}

/// Takes what flows fail at.
pub trait LostMessages: Send + Sync {
    /// Takes a message, without waiting.
    fn write(&self, lost: Lost);
}
