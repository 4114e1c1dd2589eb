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

/// Where a message stands: a stream that is made anew counts from 1 again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Standing {
    /// When its stream was made, in nanoseconds since 1970.
    pub(super) made: i128,
    /// Its number in the stream.
    pub(super) sequence: u64,
}

/// What became of one, for the task that acknowledges.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) standing: Standing,
    pub(super) deliveries: u32,
    pub(super) verdict: Verdict,
}
