//! A reply inside the broker, from the end of its call until it is sent or given up.

use super::client_shares::Share;
use crate::byte_budget::Held;
use crate::dead_letters::Lost;
use crate::flow::{Frames, Output};
use crate::ledger::{Hop, Passage, Reason};
use crate::messaging::broker::envelope::Envelope;
use crate::messaging::broker::origin::Origin;
use bytes::Bytes;

/// A reply in memory beside its envelope and frames, about: its place in the schedule.
const REPLY_BYTES: usize = 256;

/// A reply with its way back.
#[derive(Debug)]
pub(crate) struct QueuedReply {
    pub(super) envelope: Envelope,
    pub(super) frames: Frames,
    /// What its dead letter has to tell.
    pub(super) origin: Origin,
    /// What it takes until it is sent.
    pub(super) room: Held,
    /// Through the hop that it is at.
    pub(super) passage: Passage,
}

impl QueuedReply {
    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.room.bytes()
    }

    /// The message, frame by frame.
    pub(crate) fn message(&self) -> impl Iterator<Item = &[u8]> {
        self.envelope.around(&self.frames)
    }

    /// It leaves its hop for this one.
    pub(super) fn go_on_to(&mut self, hop: &Hop) {
        std::mem::replace(&mut self.passage, hop.enter()).out();
    }

    /// It cannot be sent, and why. Returns its dead letter.
    pub(super) fn give_up(self, reason: Reason, cause: String) -> Lost {
        self.passage.dropped(reason);
        let frames = self.frames.into_iter().map(Vec::from).collect();
        self.origin.lost(self.envelope.join(frames), reason, cause)
    }
}

/// What a reply takes in memory until it is sent, about.
pub(super) fn reply_bytes(envelope: &Envelope, reply: &Output) -> usize {
    let frames = reply.message.frames.iter().map(|frame| size_of::<Bytes>() + frame.len());
    REPLY_BYTES + envelope.bytes() + frames.sum::<usize>()
}

/// What is not to be sent at once.
pub(super) fn delayed(envelope: &Envelope, replies: &[Output]) -> Share {
    let replies = replies.iter().skip_while(|reply| reply.after.is_zero());
    replies.fold(Share::default(), |share, reply| share.plus(Share { replies: 1, bytes: reply_bytes(envelope, reply) }))
}
