//! The outbox: replies that are due, handed to the frontend, and what becomes of those that their client has no room for.

use super::envelope::Envelope;
use super::origin::Origin;
use crate::byte_budget::Held;
use crate::config::OnFull;
use crate::dead_letters::DeadLetters;
use crate::ledger::{Passage, Reason};
use crate::messaging::socket;
use crate::messaging::socket::Frames;
use crate::messaging::socket::figures::SocketFigures;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A reply with its way back.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) envelope: Envelope,
    pub(super) frames: Frames,
    /// What its dead letter has to tell.
    pub(super) origin: Origin,
    /// The room that it takes until it is sent.
    pub(super) held: Option<Held>,
}

impl Outbound {
    /// Of all its frames.
    pub(super) fn bytes(&self) -> usize {
        self.envelope.around(&self.frames).map(<[u8]>::len).sum()
    }
}

/// A reply on its way to the frontend.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) reply: Outbound,
    pub(super) passage: Passage,
}

/// What is to be done after a reply was handed over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Nothing,
    /// The client with this identity does not read: its connection is to be ended.
    CutOff(Vec<u8>),
}

/// Replies that wait for room, by client. Empty unless the policy is to wait.
pub(super) struct Outbox {
    on_full: OnFull,
    held: HashMap<Vec<u8>, VecDeque<Due>>,
    held_replies: usize,
    figures: Arc<SocketFigures>,
    dead_letters: DeadLetters,
}

impl Outbox {
    pub(super) fn new(on_full: OnFull, figures: Arc<SocketFigures>, dead_letters: DeadLetters) -> Self {
        Self { on_full, held: HashMap::new(), held_replies: 0, figures, dead_letters }
    }

    /// Replies that wait for room.
    pub(super) fn len(&self) -> usize {
        self.held_replies
    }

    /// Hands one reply over, or deals with it as the policy says. The replies to one client keep their order.
    pub(super) fn send(&mut self, frontend: &zmq::Socket, due: Due) -> Next {
        if self.held_replies > 0 && self.held.contains_key(&due.reply.envelope.identity) {
            self.hold(due);
            return Next::Nothing;
        }
        match self.try_send(frontend, due) {
            None => Next::Nothing,
            Some(due) if self.on_full == OnFull::Block => {
                self.hold(due);
                Next::Nothing
            }
            Some(due) => {
                let identity = due.reply.envelope.identity.clone();
                self.give_up(due.reply, due.passage, Reason::ClientFull, socket::cause(zmq::Error::EAGAIN));
                if self.on_full == OnFull::CutOff { Next::CutOff(identity) } else { Next::Nothing }
            }
        }
    }

    /// Tries again what waits for room.
    pub(super) fn retry(&mut self, frontend: &zmq::Socket) {
        if self.held_replies == 0 {
            return;
        }
        for (identity, mut replies) in std::mem::take(&mut self.held) {
            while let Some(due) = replies.pop_front() {
                if let Some(due) = self.try_send(frontend, due) {
                    replies.push_front(due);
                    break;
                }
                self.held_replies -= 1;
            }
            if !replies.is_empty() {
                self.held.insert(identity, replies);
            }
        }
    }

    fn hold(&mut self, due: Due) {
        self.held.entry(due.reply.envelope.identity.clone()).or_default().push_back(due);
        self.held_replies += 1;
    }

    /// Gives the reply back if its client has no room; whatever else becomes of it is its end.
    fn try_send(&self, frontend: &zmq::Socket, due: Due) -> Option<Due> {
        // ROUTER_MANDATORY makes an error of what libzmq would drop unseen.
        let Outbound { envelope, frames, .. } = &due.reply;
        match socket::send_frames(frontend, envelope.around(frames), zmq::DONTWAIT) {
            Ok(()) => {
                self.figures.count_out(due.reply.bytes());
                due.passage.out();
            }
            Err(zmq::Error::EAGAIN) => return Some(due),
            Err(error) => {
                let reason = match error {
                    zmq::Error::EHOSTUNREACH => Reason::Unroutable,
                    _ => Reason::SendFailed,
                };
                if reason == Reason::SendFailed {
                    tracing::warn!(%error, "sending a reply");
                }
                self.give_up(due.reply, due.passage, reason, socket::cause(error));
            }
        }
        None
    }

    /// The end of a reply that cannot be sent, and why.
    pub(super) fn give_up(&self, reply: Outbound, passage: Passage, reason: Reason, cause: String) {
        passage.dropped(reason);
        let Outbound { envelope, frames, origin, .. } = reply;
        self.dead_letters.write(origin.lost(envelope.join(frames), reason, cause));
    }
}
