//! What the broker loop and its workers hand to each other.

use super::envelope::{Envelope, Frames};
use super::origin::Origin;
use super::policy::PolicyCall;
use crate::ledger::{Passage, Reason};
use crate::plugin::Reply;
use std::time::Duration;

/// One request, with its way back.
pub(super) struct Job {
    /// Through the policy hop.
    pub(super) passage: Passage,
    /// The CURVE key that its sender showed, in Z85.
    pub(super) key: Option<String>,
    pub(super) envelope: Envelope,
    /// What is behind the envelope.
    pub(super) body: Frames,
}

/// What there is to do for a request.
pub(super) enum Task {
    /// To ask the policy.
    Begin(Job),
    /// To wait for its answer, which did not come at once.
    GoOn(Box<PolicyCall>),
}

/// The end of a request: its replies, or the reason why there are none.
pub(super) struct Done {
    pub(super) passage: Passage,
    pub(super) envelope: Envelope,
    pub(super) verdict: Result<Replies, Reason>,
    /// For how long the policy kept a thread, as far as that is known.
    pub(super) took: Duration,
}

/// The replies to one request.
pub(super) struct Replies {
    pub(super) origin: Origin,
    pub(super) replies: Vec<Reply>,
}
