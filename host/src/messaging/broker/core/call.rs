//! A call of the policy as the core hands it out, and what it hears of its end.

use crate::flow::{Failed, Message, Outputs, ServedBy};
use crate::request_id::RequestId;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names a request while it is in flight.
pub(crate) type Ticket = usize;

/// A call, as it is to be made.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) ticket: Ticket,
    /// Which one its request is of all that came.
    pub(crate) number: u64,
    /// The CURVE key that its sender showed, in Z85.
    pub(crate) key: Option<String>,
    /// Its sender's identity, and what is behind its envelope. Without metadata yet.
    pub(crate) message: Message,
}

/// Where a call begins.
#[derive(Debug)]
pub(crate) enum Start {
    /// On the thread that asks: waking another one would take longer.
    Here(Call),
    /// In the runtime.
    Elsewhere(Call),
}

/// The end of a call.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ticket: Ticket,
    pub(crate) id: RequestId,
    /// Who answered; none where no plugin was reached.
    pub(crate) by: Option<Arc<ServedBy>>,
    pub(crate) result: Result<Outputs, Failed>,
    /// When that was.
    pub(crate) at: Instant,
    pub(crate) took: Duration,
}
