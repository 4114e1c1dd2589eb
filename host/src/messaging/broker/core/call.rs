//! A call of the policy as the core starts it, and its result.

use crate::flow::{Failed, Message, Outputs, ServedBy};
use crate::request_id::RequestId;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The index of a request while it is in flight.
pub(crate) type Ticket = usize;

/// A call, as it is to be made.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) ticket: Ticket,
    /// The number of its request among all that came.
    pub(crate) number: u64,
    /// The CURVE key that its sender showed, in Z85.
    pub(crate) key: Option<String>,
    /// Its sender's identity, and what is behind its envelope. Without metadata yet.
    pub(crate) message: Message,
}

/// Where a call starts.
#[derive(Debug)]
pub(crate) enum Start {
    /// On the thread of the broker loop: the call is expected to be shorter than waking another thread.
    OnLoopThread(Call),
    /// In the runtime.
    InRuntime(Call),
}

/// The end of a call.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ticket: Ticket,
    pub(crate) id: RequestId,
    /// The plugin that answered; none if none was reached.
    pub(crate) by: Option<Arc<ServedBy>>,
    pub(crate) result: Result<Outputs, Failed>,
    /// When it ended.
    pub(crate) at: Instant,
    pub(crate) took: Duration,
}
