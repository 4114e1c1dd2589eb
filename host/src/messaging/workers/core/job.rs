//! A message for a worker, until it is answered.

use crate::config::Retry;
use crate::flow::Message;
use crate::flow::mailbox::Room;
use crate::messaging::workers::reply::Reply;
use std::time::Instant;

/// A message as a stage hands it over.
pub(in crate::messaging::workers) struct NewJob {
    pub(in crate::messaging::workers) message: Message,
    /// Whether a second worker may get it, by what is known of it.
    pub(in crate::messaging::workers) is_idempotent: bool,
    pub(in crate::messaging::workers) reply: Reply,
}

/// A message that waits for a worker, or that one has.
pub(super) struct Job {
    /// Tells which came first.
    pub(super) number: u64,
    /// For so long it waits for a worker.
    pub(super) until: Instant,
    /// How many workers have got it, the one included that has it now.
    pub(super) attempts: u32,
    pub(super) new: NewJob,
    _room: Room,
}

impl Job {
    pub(super) fn of(new: NewJob, room: Room, number: u64, until: Instant) -> Self {
        Self { number, until, attempts: 0, new, _room: room }
    }

    /// Whether another worker may get it, by what is said of a pool.
    pub(super) fn may_be_sent_again(&self, retry: Retry, retries_max: u32) -> bool {
        let is_allowed = match retry {
            Retry::Never => false,
            Retry::Idempotent => self.new.is_idempotent,
            Retry::Always => true,
        };
        is_allowed && self.attempts <= retries_max && !self.new.reply.has_begun()
    }

    /// The worker that had it is lost: it waits for another one until then, whose answer begins anew.
    pub(super) fn begin_anew(&mut self, until: Instant) {
        self.until = until;
        self.new.reply.begin_anew();
    }
}
