//! The clients of the simulation, their requests, and the replies to them.

use crate::messaging::broker::envelope::Envelope;
use std::collections::VecDeque;
use std::time::Instant;

/// What a client has for the next reply.
pub(super) enum Room {
    Some,
    None,
    Gone,
}

/// A reply by the number of its request, and its index.
pub(super) type Name = (u64, usize);

pub(super) struct Client {
    pub(super) identity: Vec<u8>,
    pub(super) is_full: bool,
    pub(super) is_gone: bool,
    /// What is due and has not left, in the order in which it became so.
    pub(super) due: VecDeque<Name>,
    /// The first of them found no room.
    pub(super) is_held: bool,
    /// What waits for its time.
    pub(super) scheduled: Share,
}

pub(super) struct Request {
    pub(super) client: usize,
    pub(super) envelope: Envelope,
    pub(super) bytes: usize,
    /// Once the call has ended.
    pub(super) replies: Vec<Expected>,
    /// How many of them are no more, and the last one that was sent.
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
    /// In the schedule, as this one.
    Scheduled(u64),
    /// Behind the schedule.
    Due,
    /// It found no place in the schedule.
    Refused,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Share {
    pub(super) replies: usize,
    pub(super) bytes: usize,
}

/// What tells a reply from all others, as its first frame.
pub(super) fn label(number: u64, index: usize) -> Vec<u8> {
    [number.to_be_bytes(), (index as u64).to_be_bytes()].concat()
}

pub(super) fn read_label(frames: &[Vec<u8>]) -> Name {
    let label = &frames[frames.len() - 2];
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("a label"));
    (number(&label[..8]), number(&label[8..]) as usize)
}

impl Share {
    pub(super) fn plus(self, bytes: usize) -> Self {
        Self { replies: self.replies + 1, bytes: self.bytes + bytes }
    }

    pub(super) fn minus(self, bytes: usize) -> Self {
        Self { replies: self.replies - 1, bytes: self.bytes - bytes }
    }
}
