//! A message that a flow failed at, and who takes such messages.

use crate::flow::{Failure, Fault, Message, Met, ServedBy};
use crate::ledger::Reason;
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

impl Lost {
    /// What came out of the flow has no place where it is to go, whatever is tried.
    pub fn of_no_place(flow: &str, reason: Reason, input: Message) -> Self {
        let detail = format!("what came of the message cannot be stored where it is to be: {}", reason.as_str());
        let public_detail = detail.clone();
        let failure = Failure { reason, fault: Fault::Sender, detail, public_detail, retry_after: None };
        let (met, by, stage) = (Met::default(), None, String::new());
        Self { flow: flow.to_owned(), stage, number: 0, met, by, failure, input }
    }
}

/// Takes what flows fail at.
pub trait LostMessages: Send + Sync {
    /// Takes a message, without waiting.
    fn write(&self, lost: Lost);
}
