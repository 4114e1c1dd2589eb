//! What became of a delivery, as its flow says it.

use crate::flow::Lost;

/// What became of a message that was delivered.
#[derive(Debug)]
pub(super) enum Verdict {
    /// All that it became has arrived.
    Done,
    /// It is to be delivered again, at once where the flow has ended.
    Returned { at_once: bool },
    /// A stage failed at it.
    Failed(Box<Lost>),
}

/// What became of one, for the task that acknowledges.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) sequence: u64,
    pub(super) deliveries: u32,
    pub(super) verdict: Verdict,
}
