//! A reply inside the broker, from the end of its call until it is sent or given up.

use super::client_shares::Share;
use crate::byte_budget::Held;
use crate::flow::{Frames, Output};
use crate::ledger::{Hop, Passage, Reason};
use crate::messaging::broker::envelope::Envelope;
use crate::messaging::broker::origin::Origin;
use crate::record::dead_letters::NewLetter;
use crate::request_id::RequestId;
use crate::traces::Span;
use bytes::Bytes;

/// About how much a reply takes in memory beside its envelope and frames, mainly its entry in the schedule.
const REPLY_BYTES: usize = 256;

/// A reply with the envelope that routes it to its client.
#[derive(Debug)]
pub(crate) struct QueuedReply {
    pub(super) envelope: Envelope,
    pub(super) frames: Frames,
    /// What its dead letter needs.
    pub(super) origin: Origin,
    /// Its bytes of the budget, until it is sent.
    pub(super) room: Held,
    /// Its passage through the hop that it is at.
    pub(super) passage: Passage,
    /// Ends when it is sent or given up.
    pub(super) span: Span,
}

impl QueuedReply {
    /// About how much it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.room.bytes()
    }

    /// The message, frame by frame.
    pub(crate) fn message(&self) -> impl Iterator<Item = &[u8]> {
        self.envelope.around(&self.frames)
    }

    /// The identity of the client that it is for.
    pub(crate) fn identity(&self) -> &[u8] {
        &self.envelope.identity
    }

    /// Its frames behind the envelope.
    pub(crate) fn body(&self) -> impl Iterator<Item = &[u8]> {
        self.frames.iter().map(|frame| &frame[..])
    }

    /// The id of the request that it answers.
    pub(crate) fn request_id(&self) -> RequestId {
        self.origin.id
    }

    /// Moves it from its hop to this one.
    pub(super) fn go_on_to(&mut self, hop: &Hop) {
        std::mem::replace(&mut self.passage, hop.enter()).out();
    }

    /// Counts it as dropped, for this reason, and returns its dead letter.
    pub(super) fn give_up(mut self, reason: Reason, cause: String) -> NewLetter {
        self.span.fail(reason.as_str(), &cause);
        self.passage.dropped(reason);
        let frames = self.frames.into_iter().map(Vec::from).collect();
        self.origin.dead_letter(self.envelope.join(frames), reason, cause)
    }
}

/// About how much a reply takes in memory until it is sent.
pub(super) fn reply_bytes(envelope: &Envelope, reply: &Output) -> usize {
    let frames = reply.message.frames.iter().map(|frame| size_of::<Bytes>() + frame.len());
    REPLY_BYTES + envelope.bytes() + frames.sum::<usize>()
}

/// How many of the replies are not to be sent at once, and their bytes.
pub(super) fn delayed(envelope: &Envelope, replies: &[Output]) -> Share {
    let replies = replies.iter().skip_while(|reply| reply.after.is_zero());
    replies.fold(Share::default(), |share, reply| share.plus(Share { replies: 1, bytes: reply_bytes(envelope, reply) }))
}
