//! Workers that go, by themselves or because they are told to, and what becomes of the messages that they had.

use super::in_hand::InHand;
use super::workers::{Worker, WorkerId};
use super::{ENDED, PoolCore, WENT};
use crate::messaging::workers::protocol::Token;
use crate::messaging::workers::reply::Unanswered;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl PoolCore {
    /// Something could not be sent to a worker, which is lost then. REP workers may have room later.
    pub(in crate::messaging::workers) fn not_sent(
        &mut self,
        (id, token): (WorkerId, Option<Token>),
        why: &'static str,
        now: Instant,
    ) {
        if let Some(hand) = token.and_then(|token| self.in_hands.get_mut(id, token)) {
            hand.is_sent = false;
        }
        if Some(id) != self.rep_worker {
            self.lose(id, why, now);
            self.assign(now);
        } else if let Some(hand) = token.and_then(|token| self.in_hands.remove(id, token)) {
            self.take_back(hand, why, now);
            self.workers.put_down(id, None);
        }
    }

    /// A worker is gone, and gives back what it had.
    pub(super) fn lose(&mut self, id: WorkerId, why: &'static str, now: Instant) -> Option<Worker> {
        let worker = self.workers.remove(id)?;
        let hands = self.in_hands.remove_all(id);
        let (pool, in_flight) = (&self.settings.service, hands.len());
        tracing::debug!(pool, worker = id, in_flight, "worker lost: {why}");
        if ![ENDED, WENT].contains(&why)
            && let Some(repeats) = self.log_limit.admit(why, now)
        {
            tracing::warn!(pool, worker = id, in_flight, repeats, "the session of a worker was ended: {why}");
        }
        self.counts.lost.fetch_add(1, Ordering::Relaxed);
        hands.into_iter().for_each(|hand| self.take_back(hand, why, now));
        Some(worker)
    }

    /// A message is with no worker any more: another one gets it if that may be, and in any case where it never got there.
    fn take_back(&mut self, hand: InHand, why: &'static str, now: Instant) {
        let Some(mut job) = hand.job else { return };
        if !hand.is_sent {
            job.attempts -= 1;
            self.waiting.add(job);
        } else if job.may_be_sent_again(self.settings.retry, self.settings.retries_max) {
            job.begin_anew(now + self.settings.wait_max);
            self.counts.retries.fetch_add(1, Ordering::Relaxed);
            self.waiting.add(job);
        } else {
            let attempts = job.attempts;
            job.new.reply.fail(Unanswered::WorkerLost { attempts, why });
        }
    }

    /// Tells a worker to go, where its protocol knows that.
    pub(super) fn let_go(&mut self, id: WorkerId) {
        let Some(Worker { identity, connection, protocol, .. }) = self.workers.get(id) else { return };
        if let Some(frames) = protocol.disconnect() {
            self.dismiss(*connection, identity.clone(), frames);
        }
    }

    /// Gives a worker no more messages, and lets it go once it has answered those that it has. Returns whether there is
    /// such a worker.
    pub(in crate::messaging::workers) fn drain(&mut self, id: WorkerId) -> bool {
        let Some(worker) = self.workers.get_mut(id) else { return false };
        worker.is_draining = true;
        self.workers.settle(id);
        self.let_go_if_done(id);
        true
    }

    pub(super) fn let_go_if_done(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(id) else { return };
        // One that cannot be told stays, and gets nothing.
        if worker.is_draining && worker.in_hand == 0 && worker.protocol.disconnect().is_some() {
            self.let_go(id);
            self.workers.remove(id);
        }
    }
}
