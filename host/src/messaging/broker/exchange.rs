//! What the broker loop and its workers hand to each other.

use super::envelope::Envelope;
use super::origin::Origin;
use crate::byte_budget::Held;
use crate::ledger::{Passage, Reason};
use crate::messaging::socket::{Frames, frames_bytes};
use crate::plugin::Reply;
use std::time::Duration;

/// One request, with its way back.
pub(super) struct Job {
    /// Through the policy hop.
    pub(super) passage: Passage,
    /// Which one it is of all that came to that hop.
    pub(super) number: u64,
    /// The CURVE key that its sender showed, in Z85.
    pub(super) key: Option<String>,
    pub(super) envelope: Envelope,
    /// What is behind the envelope.
    pub(super) body: Frames,
}

impl Job {
    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.envelope.bytes() + frames_bytes(&self.body)
    }
}

/// The end of a request: its replies, or the reason why there are none.
pub(super) struct Done {
    pub(super) passage: Passage,
    pub(super) envelope: Envelope,
    pub(super) verdict: Result<Replies, Reason>,
    /// What the request took in memory.
    pub(super) request_bytes: usize,
    /// For how long the policy kept a thread, as far as that is known.
    pub(super) took: Duration,
}

/// The replies to one request.
pub(super) struct Replies {
    pub(super) origin: Origin,
    pub(super) replies: Vec<Reply>,
    /// The room that they take.
    pub(super) held: Held,
}

/// A reply in memory beside its envelope and frames, about: its place in the schedule.
const REPLY_BYTES: usize = 256;

/// What a reply takes in memory until it is sent, about.
pub(super) fn reply_bytes(envelope: &Envelope, reply: &Reply) -> usize {
    REPLY_BYTES + envelope.bytes() + frames_bytes(&reply.frames)
}
