//! The clients of the simulation, their requests, and the replies to them.

use crate::messaging::broker::envelope::Envelope;
use std::collections::VecDeque;
use std::time::Instant;

/// Whether a client can take the next reply.
pub(super) enum ClientRoom {
    Some,
    None,
    Gone,
}

/// Identifies a reply: the number of its request, and its index.
pub(super) type ReplyId = (u64, usize);

pub(super) struct Client {
    pub(super) identity: Vec<u8>,
    pub(super) is_full: bool,
    pub(super) is_gone: bool,
    /// The replies that are due and have not left, in the order in which they became due.
    pub(super) due: VecDeque<ReplyId>,
    /// There was no room for the first of them.
    pub(super) is_held: bool,
    /// How much waits for its delay.
    pub(super) scheduled: WaitingShare,
}

pub(super) struct Request {
    pub(super) client: usize,
    pub(super) envelope: Envelope,
    pub(super) bytes: usize,
    /// Its replies, once the call has ended.
    pub(super) replies: Vec<Expected>,
    /// How many of them have left, and the last one that was sent.
    pub(super) left: usize,
    pub(super) last_sent: Option<usize>,
}

#[derive(Clone, Copy)]
pub(super) struct Expected {
    pub(super) due: Instant,
    pub(super) bytes: usize,
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the schedule, under this sequence number.
    Scheduled(u64),
    /// Behind the schedule.
    Due,
    /// The schedule did not admit it.
    Refused,
}

#[derive(Clone, Copy, Default)]
pub(super) struct WaitingShare {
    pub(super) replies: usize,
    pub(super) bytes: usize,
}

/// The label by which a reply is recognized, as its first frame.
pub(super) fn label(number: u64, index: usize) -> Vec<u8> {
    [number.to_be_bytes(), (index as u64).to_be_bytes()].concat()
}

pub(super) fn read_label(frames: &[Vec<u8>]) -> ReplyId {
    let label = &frames[frames.len() - 2];
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("a label"));
    (number(&label[..8]), number(&label[8..]) as usize)
}

impl WaitingShare {
    pub(super) fn plus(self, bytes: usize) -> Self {
        Self { replies: self.replies + 1, bytes: self.bytes + bytes }
    }

    pub(super) fn minus(self, bytes: usize) -> Self {
        Self { replies: self.replies - 1, bytes: self.bytes - bytes }
    }
}
