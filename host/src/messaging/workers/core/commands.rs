//! What peers say: workers their answers and heartbeats, strangers that they are workers, and all of them what they must
//! not.

use super::action::Action;
use super::sender::{Ended, Incoming, Sender};
use super::workers::{Worker, WorkerId};
use super::{ENDED, FLOODS, PoolCore, UNASKED_MAX, WENT};
use crate::flow::Frames;
use crate::ledger::Reason;
use crate::messaging::socket::monitor::Descriptor;
use crate::messaging::workers::counts::Refused;
use crate::messaging::workers::protocol::{Command, Protocol, Token, WorkerFrames};
use crate::messaging::workers::reply::{NotPassedOn, Unanswered};
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl PoolCore {
    /// Takes in what a peer sent.
    pub(in crate::messaging::workers) fn receive(&mut self, incoming: Incoming, now: Instant) {
        let Incoming { from, frames, is_whole } = incoming;
        match self.known(&from).map(|(id, worker)| (id, worker.protocol)) {
            Some((id, protocol)) => self.receive_of_worker((id, protocol), frames, is_whole, now),
            None => self.receive_of_stranger(from, frames, now),
        }
    }

    /// The worker that sent something. What comes late of a connection that has ended is none's: another one may have
    /// its number.
    fn known(&self, from: &Sender) -> Option<(WorkerId, &Worker)> {
        let id = self.workers.with_identity(&from.identity)?;
        self.workers.get(id).filter(|worker| worker.connection == from.connection).map(|worker| (id, worker))
    }

    fn receive_of_worker(
        &mut self,
        (id, protocol): (WorkerId, Protocol),
        frames: WorkerFrames,
        is_whole: bool,
        now: Instant,
    ) {
        let Some(worker) = self.workers.get_mut(id) else { return };
        worker.heard = now;
        match protocol.read(frames) {
            Some(Command::Answer { token, frames, is_last }) => {
                self.answered((id, token), frames, (is_last, is_whole), now);
            }
            Some(Command::Heartbeat) => self.note_unasked_of(id),
            Some(Command::Disconnect) => {
                self.note_unasked_of(id);
                self.lose(id, WENT, now);
            }
            // It begins anew, as Paranoid Pirate allows.
            Some(Command::Ready(_)) if protocol == Protocol::Ppp => {
                self.note_unasked_of(id);
                if let Some(worker) = self.lose(id, WENT, now) {
                    self.add(worker.into_sender(), protocol, now);
                }
            }
            Some(Command::Ready(_)) => self.refuse(id, Refused::Unexpected, "it said twice that it is ready", now),
            None => self.refuse(id, Refused::Malformed, "it sent a malformed command", now),
        }
    }

    /// A worker said what its protocol does not allow, which ends its session. One whose protocol has no word for that loses
    /// its connection; if it has no message, what it said too much is only counted.
    fn refuse(&mut self, id: WorkerId, what: Refused, why: &'static str, now: Instant) {
        self.counts.refuse(what);
        self.note_unasked_of(id);
        let Some(worker) = self.workers.get(id) else { return };
        let (connection, identity) = (worker.connection, worker.identity.clone());
        if worker.protocol.disconnect().is_some() {
            self.let_go(id);
        } else if worker.in_hand > 0 && Some(id) != self.rep_worker {
            self.actions.push_back(Action::CutOff(connection, identity, why));
        } else {
            return;
        }
        self.lose(id, why, now);
    }

    fn receive_of_stranger(&mut self, from: Sender, frames: WorkerFrames, now: Instant) {
        self.note_unasked(from.connection, &from.identity);
        let Some(protocol) = Protocol::of_first(&frames).or_else(|| Protocol::of_answer(&frames)) else {
            self.counts.refuse(Refused::Unknown);
            return;
        };
        let refused = match protocol.read(frames) {
            Some(Command::Ready(service)) if service.as_ref().is_none_or(|name| *name == self.settings.service) => {
                if let Some(earlier) = self.workers.with_identity(&from.identity) {
                    self.lose(earlier, "another connection has its identity", now);
                }
                if let Some(earlier) = self.workers.at(from.connection) {
                    self.lose(earlier, ENDED, now);
                }
                return self.add(from, protocol, now);
            }
            Some(Command::Ready(_)) => Refused::WrongService,
            // It was taken for gone, and has not noticed.
            Some(Command::Answer { .. }) => {
                self.refuse_late();
                Refused::Unexpected
            }
            Some(Command::Heartbeat) => Refused::Unexpected,
            Some(Command::Disconnect) => return,
            // Who has never said anything that is right is told nothing.
            None => return self.counts.refuse(Refused::Malformed),
        };
        self.counts.refuse(refused);
        if let Some(frames) = protocol.disconnect() {
            self.dismiss(from.connection, from.identity, frames);
        }
    }

    fn add(&mut self, from: Sender, protocol: Protocol, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&(from.connection, from.identity.clone())) {
            peer.is_dismissed = false;
        }
        self.workers.add(from, protocol, self.settings.in_flight_per_worker_max, now);
    }

    /// Tells a peer to go, once.
    pub(super) fn dismiss(&mut self, connection: Descriptor, to: Bytes, frames: WorkerFrames) {
        let peer = self.peers.entry((connection, to.clone())).or_default();
        if !std::mem::replace(&mut peer.is_dismissed, true) {
            self.actions.push_back(Action::Send { to, frames, of: None });
        }
    }

    fn answered(
        &mut self,
        (id, token): (WorkerId, Option<Token>),
        frames: WorkerFrames,
        (is_last, is_whole): (bool, bool),
        now: Instant,
    ) {
        let Some((token, hand)) = token.and_then(|token| Some((token, self.in_hands.get_mut(id, token)?))) else {
            if Some(id) == self.rep_worker {
                return self.refuse_late();
            }
            self.answers.refuse(Reason::Unexpected);
            return self.refuse(id, Refused::Unexpected, "it answered what it does not have", now);
        };
        let frames = Frames::from_iter(frames);
        // A last part without frames ends the answer and is none.
        let added = match (&mut hand.job, frames.is_empty() && is_last) {
            (Some(_), _) if !is_whole => Err(NotPassedOn::NoRoom(Unanswered::TooLarge)),
            (Some(_), true) => Ok(()),
            (Some(job), false) => {
                let bounds = (self.settings.answer_bytes_max, &self.answer_budget);
                job.new.reply.add(frames, (job.attempts, is_last), bounds)
            }
            (None, _) => Err(NotPassedOn::Gone),
        };
        match added {
            Ok(()) => self.answers.pass(),
            Err(NotPassedOn::Gone) => {
                hand.job = None;
                self.refuse_late();
            }
            Err(NotPassedOn::NoRoom(why)) => {
                self.answers.refuse(match why {
                    Unanswered::NotTaken => Reason::ClientFull,
                    Unanswered::NoRoom => Reason::QueueFull,
                    _ => Reason::OverOutput,
                });
                if let Some(job) = hand.job.take() {
                    job.new.reply.fail(why);
                }
            }
        }
        if is_last && let Some(hand) = self.in_hands.remove(id, token) {
            let took = now.saturating_duration_since(hand.since);
            let took = hand.job.map(|job| {
                job.new.reply.finish(job.attempts);
                took
            });
            took.into_iter().for_each(|took| self.counts.note_done(took));
            self.workers.put_down(id, took);
            self.let_go_if_done(id);
        }
    }

    fn refuse_late(&self) {
        self.answers.refuse(Reason::Late);
        self.counts.late.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn note_unasked_of(&mut self, id: WorkerId) {
        if let Some(Worker { connection, identity, .. }) = self.workers.get(id) {
            let (connection, identity) = (*connection, identity.clone());
            self.note_unasked(connection, &identity);
        }
    }

    /// A peer has sent something that was not asked for. Who floods is cut off.
    fn note_unasked(&mut self, connection: Descriptor, identity: &Bytes) {
        let peer = self.peers.entry((connection, identity.clone())).or_default();
        peer.unasked += 1;
        if peer.unasked == UNASKED_MAX {
            self.counts.refuse(Refused::Flood);
            self.actions.push_back(Action::CutOff(connection, identity.clone(), FLOODS));
        }
    }

    /// A connection has ended.
    pub(in crate::messaging::workers) fn gone(&mut self, ended: Ended, now: Instant) {
        let Ended { connection, sent_too_much } = ended;
        let of_connection = (connection, Bytes::new())..(connection + 1, Bytes::new());
        let peers: Vec<_> = self.peers.range(of_connection).map(|(peer, _)| peer.clone()).collect();
        for peer in &peers {
            self.peers.remove(peer);
        }
        let Some(id) = self.workers.at(connection) else { return };
        if sent_too_much {
            // Another worker would answer the same.
            let jobs = self.in_hands.remove_all(id).into_iter().filter_map(|hand| hand.job);
            jobs.for_each(|job| job.new.reply.fail(Unanswered::TooLarge));
        }
        self.lose(id, ENDED, now);
    }

    /// Whether a worker of this identity is behind a connection.
    pub(in crate::messaging::workers) fn knows(&self, from: &Sender) -> bool {
        self.known(from).is_some()
    }
}
