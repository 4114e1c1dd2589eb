//! The replies that wait for their delay, with each client's share of them.

use super::client_shares::{ClientShares, Share};
use super::reply::QueuedReply;
use super::schedule::Schedule;
use crate::log_limit::LogLimit;
use crate::messaging::socket;
use std::time::{Duration, Instant};

/// How often the clients are checked while much waits. With more clients and replies than this to check, the interval
/// grows in proportion, so that the checks take a few percent of the time.
const LOOK: Duration = Duration::from_millis(250);
const LOOKED_AT_PER_LOOK: usize = 10_000;

/// Belongs to the broker's thread.
pub(super) struct WaitingReplies {
    schedule: Schedule<QueuedReply>,
    shares: ClientShares,
    look_due: Instant,
    refusal_log_limit: LogLimit,
}

impl WaitingReplies {
    /// For at most so many replies and bytes of them.
    pub(super) fn new(max: Share, now: Instant) -> Self {
        Self {
            schedule: Schedule::new(),
            shares: ClientShares::new(max),
            look_due: now,
            refusal_log_limit: LogLimit::default(),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.schedule.len()
    }

    /// Whether as much waits as may.
    pub(super) fn is_full(&self) -> bool {
        self.shares.is_full()
    }

    /// Whether so much more may wait for a client. If not, that is logged.
    pub(super) fn admits(&mut self, identity: &[u8], more: Share, now: Instant) -> bool {
        let admits = self.shares.admits(identity, more);
        if !admits && let Some(times) = self.refusal_log_limit.note(now) {
            let identity = socket::escape_for_log(identity);
            let Share { replies, bytes } = self.shares.all();
            tracing::warn!(
                identity,
                times,
                replies,
                bytes,
                "replies are dropped: as many wait for the client as may, of all that wait"
            );
        }
        admits
    }

    /// Adds a reply that is due at `due`.
    pub(super) fn add(&mut self, due: Instant, reply: QueuedReply) {
        self.shares.add(&reply.envelope.identity, reply.bytes());
        self.schedule.add(due, reply);
    }

    /// Removes the reply that was due first, if it is due by `now`.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<QueuedReply> {
        let reply = self.schedule.take_due(now)?;
        self.shares.remove(&reply.envelope.identity, reply.bytes());
        Some(reply)
    }

    /// When the next reply is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.schedule.next_due()
    }

    /// When [`Self::take_lost`] is to be called again; none while there is room enough.
    pub(super) fn look_due(&self) -> Option<Instant> {
        self.shares.is_crowded().then_some(self.look_due)
    }

    /// While much waits, removes the replies for clients that have gone. Otherwise a client that reconnects again and
    /// again, each time with another identity, would fill the schedule with replies that nobody will get.
    pub(super) fn take_lost(&mut self, now: Instant, is_connected: impl FnMut(&[u8]) -> bool) -> Vec<QueuedReply> {
        if self.look_due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        let (clients, gone) = (self.shares.clients(), self.shares.clients_without(is_connected));
        let lost = if gone.is_empty() {
            Vec::new()
        } else {
            self.schedule.take_where(|reply| gone.contains(&reply.envelope.identity))
        };
        for reply in &lost {
            self.shares.remove(&reply.envelope.identity, reply.bytes());
        }
        let looked_at = clients + if gone.is_empty() { 0 } else { self.schedule.len() };
        self.look_due = now + LOOK * u32::try_from(looked_at / LOOKED_AT_PER_LOOK + 1).unwrap_or(u32::MAX);
        lost
    }
}
