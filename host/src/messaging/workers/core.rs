//! The decisions of a pool, without I/O: it gets messages, what workers say and the time, and returns what is to be sent to
//! whom. Who waits for an answer is told directly.
//!
//! A simulation drives it through cases that tests with sockets do not reach.

mod action;
mod commands;
mod in_hand;
mod job;
mod lost;
mod sender;
mod settings;
#[cfg(test)]
mod simulation;
mod waiting;
mod workers;

pub(super) use action::Action;
pub(super) use job::NewJob;
pub(super) use sender::{Ended, Incoming, Sender};
pub(super) use settings::CoreSettings;
pub(super) use workers::WorkerId;

use super::codec;
use super::counts::PoolCounts;
use super::protocol::{Protocol, Token};
use super::reply::Unanswered;
use crate::byte_budget::ByteBudget;
use crate::config::LOG_LIMIT_INTERVAL_MS;
use crate::flow::PoolStatus;
use crate::flow::mailbox::Room;
use crate::ledger::Hop;
use crate::log_limit::LogLimit;
use crate::messaging::socket::monitor::Descriptor;
use bytes::Bytes;
use in_hand::InHands;
use job::Job;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use waiting::Waiting;
use workers::Workers;

/// So many of its heartbeats may be missed before a worker is gone.
const LIVENESS: u32 = 3;
/// Workers are looked at so often in the time between two heartbeats.
const LOOKS: u32 = 4;
/// What a peer may send in this time beside answers.
const UNASKED_MAX: u32 = 1_000;
const UNASKED_TIME: Duration = Duration::from_secs(1);
/// Why a worker is lost whose connection has ended.
const ENDED: &str = "its connection ended";
/// Why one is that said so.
const WENT: &str = "it went";
/// Why the connection of a peer is ended.
const FLOODS: &str = "it sends more commands than a worker may";
/// Stands for the connections of all REP workers.
pub(super) const REP_CONNECTION: Descriptor = -1;

/// What is known of a peer that may be no worker.
#[derive(Debug, Default)]
struct Peer {
    /// How much it has sent of late that was no answer.
    unasked: u32,
    /// It was told to go, and gets no more commands unless it begins anew.
    is_dismissed: bool,
}

/// The state of a pool.
pub(super) struct PoolCore {
    settings: CoreSettings,
    answers: Arc<Hop>,
    counts: Arc<PoolCounts>,
    workers: Workers,
    /// What stands for all REP workers, in a pool of those.
    rep_worker: Option<WorkerId>,
    waiting: Waiting,
    in_hands: InHands,
    /// Peers that have sent something that was not asked for.
    peers: BTreeMap<(Descriptor, Bytes), Peer>,
    peers_looked: Instant,
    looked: Instant,
    last_job: u64,
    last_token: Token,
    actions: VecDeque<Action>,
    /// Once it was told to end.
    deadline: Option<Instant>,
    /// What the parts of answers that wait may take together.
    answer_budget: Arc<ByteBudget>,
    log_limit: LogLimit<&'static str>,
}

impl PoolCore {
    pub(super) fn new(settings: CoreSettings, answers: Arc<Hop>, counts: Arc<PoolCounts>, now: Instant) -> Self {
        let (workers, rep_worker, waiting, in_hands, peers, last_job, last_token, actions, deadline) =
            Default::default();
        let (peers_looked, looked) = (now, now);
        let answer_budget = ByteBudget::new(settings.queue_bytes_max);
        Self {
            settings,
            answers,
            counts,
            workers,
            rep_worker,
            waiting,
            in_hands,
            peers,
            peers_looked,
            looked,
            last_job,
            last_token,
            actions,
            deadline,
            answer_budget,
            log_limit: LogLimit::new(1, Duration::from_millis(LOG_LIMIT_INTERVAL_MS)),
        }
    }

    /// Takes in a message for a worker.
    pub(super) fn submit(&mut self, job: NewJob, room: Room, now: Instant) {
        self.last_job += 1;
        self.waiting.add(Job::of(job, room, self.last_job, now + self.settings.wait_max));
    }

    /// So many REP workers are connected. Which of them gets a message is for libzmq to say, so they count as one.
    pub(super) fn set_rep_workers(&mut self, count: usize, now: Instant) {
        let capacity = count * self.settings.in_flight_per_worker_max;
        match self.rep_worker {
            None => {
                let from = Sender { identity: Bytes::new(), connection: REP_CONNECTION, key: None };
                self.rep_worker = Some(self.workers.add(from, Protocol::Rep, capacity, now));
            }
            Some(id) => {
                if let Some(worker) = self.workers.get_mut(id) {
                    worker.capacity = capacity;
                }
                self.workers.settle(id);
            }
        }
    }

    /// Gives messages that wait to workers that can take them, once all is known that has come.
    pub(super) fn assign(&mut self, now: Instant) {
        while self.workers.any_ready() {
            let Some(mut job) = self.waiting.next() else { return };
            if job.new.reply.is_unwanted() {
                continue;
            }
            let Some((id, worker)) = self.workers.take_ready() else { return };
            job.attempts += 1;
            self.last_token += 1;
            let token = self.last_token;
            let body = codec::encode(self.settings.codec, &job.new.message, job.attempts);
            let frames = worker.protocol.request(token, body);
            worker.sent = now;
            self.actions.push_back(Action::Send { to: worker.identity.clone(), frames, of: Some((id, Some(token))) });
            self.in_hands.add(id, token, job, now, now + self.settings.deadline);
        }
    }

    /// Does what is due: ends waits, looks at workers, sends heartbeats.
    pub(super) fn pass_time(&mut self, now: Instant) {
        while let Some(job) = self.waiting.next_overdue(now) {
            job.new.reply.fail(Unanswered::NoWorker);
        }
        while let Some((id, token, job)) = self.in_hands.next_overdue(now) {
            job.new.reply.fail(Unanswered::TooLate);
            if Some(id) == self.rep_worker {
                // Nobody knows whether the one that had it is still there.
                self.in_hands.remove(id, token);
                self.workers.put_down(id, None);
            }
        }
        if now >= self.look_due() {
            self.looked = now;
            self.look(now);
        }
    }

    fn look(&mut self, now: Instant) {
        let heartbeat = self.settings.heartbeat;
        if now.saturating_duration_since(self.peers_looked) >= UNASKED_TIME {
            self.peers.retain(|_, peer| {
                peer.unasked = 0;
                peer.is_dismissed
            });
            self.peers_looked = now;
        }
        let (mut silent, mut longest) = (Vec::new(), Duration::ZERO);
        for (id, worker) in self.workers.iter_mut() {
            let Some(frames) = worker.protocol.heartbeat() else { continue };
            let silence = now.saturating_duration_since(worker.heard);
            longest = longest.max(silence);
            if silence > heartbeat * LIVENESS {
                silent.push(id);
            } else if now.saturating_duration_since(worker.sent) >= heartbeat {
                worker.sent = now;
                self.actions.push_back(Action::Send { to: worker.identity.clone(), frames, of: Some((id, None)) });
            }
        }
        self.counts.set_silence(longest);
        for id in silent {
            self.lose(id, "it was silent", now);
        }
    }

    /// Ends once nothing waits and no worker has anything, or at this time.
    pub(super) fn end(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Whether it was told to end, and has nothing left to do.
    pub(super) fn has_ended(&self, now: Instant) -> bool {
        let is_idle = || self.waiting.wanted() + self.in_hands.wanted() == 0;
        self.deadline.is_some_and(|deadline| now >= deadline || is_idle())
    }

    /// Tells all workers to go.
    pub(super) fn dismiss_all(&mut self) {
        let ids: Vec<_> = self.workers.iter().map(|(id, _)| id).collect();
        ids.into_iter().for_each(|id| self.let_go(id));
    }

    /// What is to be done next at the socket; none until the next event.
    pub(super) fn next_action(&mut self) -> Option<Action> {
        loop {
            let action = self.actions.pop_front()?;
            if let Action::Send { of: Some((id, Some(token))), .. } = &action {
                // The worker may be lost since, and the message be with another one.
                let Some(hand) = self.in_hands.get_mut(*id, *token) else { continue };
                hand.is_sent = true;
            }
            return Some(action);
        }
    }

    /// When something is due, if nothing comes in before.
    pub(super) fn due(&self) -> Instant {
        let waits = [self.waiting.due(), self.in_hands.due(), self.deadline];
        waits.into_iter().flatten().fold(self.look_due(), Instant::min)
    }

    fn look_due(&self) -> Instant {
        self.looked + self.settings.heartbeat / LOOKS
    }

    /// Sets the gauges.
    pub(super) fn report(&self) {
        let (mut workers, mut ready) = self.workers.counts();
        if let Some(rep) = self.rep_worker.and_then(|id| self.workers.get(id)) {
            workers = rep.capacity / self.settings.in_flight_per_worker_max;
            ready = rep.capacity.saturating_sub(rep.in_hand).div_ceil(self.settings.in_flight_per_worker_max);
        }
        self.counts.set(workers, ready, self.waiting.len(), self.in_hands.len());
    }

    /// The pool with its workers, whose addresses are known elsewhere. Of REP workers it knows only how many there are.
    pub(super) fn status(&self, address: impl Fn(Descriptor) -> Option<String>, now: Instant) -> PoolStatus {
        self.report();
        let workers = self.workers.iter().filter(|(id, _)| Some(*id) != self.rep_worker);
        let workers = workers.map(|(id, worker)| worker.status(id, address(worker.connection), now));
        PoolStatus { workers: workers.collect(), ..self.counts.status() }
    }
}
