//! One socket's life, from READY on: who was heard when, and what the host gave.

use crate::messaging::socket::Frames;
use std::collections::VecDeque;
use std::time::Instant;

/// Messages that wait while the command has another one. A host gives several at a time only where it was told to.
const WAITING_MESSAGES_MAX: usize = 10_000;
/// Their bytes.
pub(super) const WAITING_BYTES_MAX: usize = 256 << 20;

/// What the worker and the host have of each other.
pub(super) struct Session {
    /// When something came from the host.
    pub(super) heard: Instant,
    /// When something was sent to it.
    pub(super) said: Instant,
    /// Whether the host has said anything since READY.
    pub(super) is_known: bool,
    /// What the host gave and has no answer to, by tokens. If the command is busy it has the first one, whose frames are
    /// gone.
    requests: VecDeque<(Vec<u8>, Frames)>,
    /// The bytes of those that wait.
    bytes: usize,
    /// Once it is to stop: how many of them it is still to answer. A host that gives several at a time might never leave it
    /// without any.
    last: Option<usize>,
}

impl Session {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, said: now, is_known: false, requests: VecDeque::new(), bytes: 0, last: None }
    }

    /// What the host gives from now on is given back.
    pub(super) fn stop(&mut self) {
        self.last = Some(self.requests.len());
    }

    /// Whether all is answered that is to be.
    pub(super) fn is_done(&self) -> bool {
        self.last.unwrap_or(self.requests.len()) == 0
    }

    /// Takes in what the host gives. Returns whether that is no more than a worker takes.
    pub(super) fn queue(&mut self, token: Vec<u8>, message: Frames) -> bool {
        self.bytes += bytes(&message);
        self.requests.push_back((token, message));
        // A single message is bounded by the socket.
        self.requests.len() == 1 || (self.requests.len() <= WAITING_MESSAGES_MAX && self.bytes <= WAITING_BYTES_MAX)
    }

    /// The first message, for the command.
    pub(super) fn take_first(&mut self) -> Option<Frames> {
        let (_, message) = self.requests.front_mut()?;
        let message = std::mem::take(message);
        self.bytes -= bytes(&message);
        Some(message)
    }

    /// The token of the message that the command had, which is answered.
    pub(super) fn finish_first(&mut self) -> Option<Vec<u8>> {
        self.last = self.last.map(|last| last.saturating_sub(1));
        self.requests.pop_front().map(|(token, _)| token)
    }
}

fn bytes(message: &Frames) -> usize {
    message.iter().map(Vec::len).sum()
}
