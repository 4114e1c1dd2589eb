//! The outbox: replies that are due, in the order in which they are to be sent, and those that their client has no room for.

use super::reply::QueuedReply;
use std::collections::{BTreeMap, VecDeque};

/// One reply at a time is offered. Whoever sends it says what has become of it, and has the next one then.
#[derive(Default)]
pub(super) struct Outbox {
    due: VecDeque<QueuedReply>,
    /// Replies that wait for room, by client; none without any.
    held: BTreeMap<Vec<u8>, VecDeque<QueuedReply>>,
    held_replies: usize,
    /// Clients that are tried again, the next one last: what is offered comes from there as long as there are any.
    retried: Vec<Vec<u8>>,
}

impl Outbox {
    /// Puts a reply behind the others.
    pub(super) fn push(&mut self, reply: QueuedReply) {
        self.due.push_back(reply);
    }

    /// Replies that wait for room.
    pub(super) fn held(&self) -> usize {
        self.held_replies
    }

    /// All replies in it.
    pub(super) fn len(&self) -> usize {
        self.due.len() + self.held_replies
    }

    /// What is held is to be offered again.
    pub(super) fn retry(&mut self) {
        if self.held_replies > 0 && self.retried.is_empty() {
            self.retried.extend(self.held.keys().rev().cloned());
        }
    }

    /// The reply that is to be sent next. The replies to one client keep their order.
    pub(super) fn offer(&mut self) -> Option<&QueuedReply> {
        if let Some(client) = self.retried.last() {
            return self.held.get(client)?.front();
        }
        if self.held_replies > 0 {
            while let Some(reply) = self.due.pop_front_if(|reply| self.held.contains_key(&reply.envelope.identity)) {
                self.hold(reply);
            }
        }
        self.due.front()
    }

    /// Takes out the reply that was offered last, which is not to be offered again.
    pub(super) fn take_offered(&mut self) -> Option<QueuedReply> {
        let Some(client) = self.retried.last() else { return self.due.pop_front() };
        let replies = self.held.get_mut(client)?;
        let reply = replies.pop_front();
        self.held_replies -= 1;
        if replies.is_empty() {
            self.held.remove(client);
            self.retried.pop();
        }
        reply
    }

    /// There was no room for the reply that was offered last: it waits, and those behind it for the same client too.
    pub(super) fn hold_offered(&mut self) {
        if self.retried.pop().is_none()
            && let Some(reply) = self.due.pop_front()
        {
            self.hold(reply);
        }
    }

    fn hold(&mut self, reply: QueuedReply) {
        self.held.entry(reply.envelope.identity.clone()).or_default().push_back(reply);
        self.held_replies += 1;
    }
}
