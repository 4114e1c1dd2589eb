//! The outbox: replies that are due, in the order in which they are to be sent, and replies for which their client has
//! no room.

use super::reply::QueuedReply;
use std::collections::{BTreeMap, VecDeque};

/// It offers one reply at a time. After the result of sending it was reported, it offers the next one.
#[derive(Default)]
pub(super) struct Outbox {
    due: VecDeque<QueuedReply>,
    /// Replies that wait for room, by client. No client has an empty queue here.
    held: BTreeMap<Vec<u8>, VecDeque<QueuedReply>>,
    held_replies: usize,
    /// Clients whose held replies are being tried again, the next client last. While there are any, only their replies
    /// are offered.
    retried: Vec<Vec<u8>>,
}

impl Outbox {
    /// Puts a reply behind the others.
    pub(super) fn push(&mut self, reply: QueuedReply) {
        self.due.push_back(reply);
    }

    /// How many replies wait for room.
    pub(super) fn held(&self) -> usize {
        self.held_replies
    }

    /// How many replies are in it.
    pub(super) fn len(&self) -> usize {
        self.due.len() + self.held_replies
    }

    /// Has the held replies offered again.
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

    /// Removes the reply that was offered last.
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

    /// Holds the reply that was offered last, for which there was no room, and with it all later ones for the same
    /// client.
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
