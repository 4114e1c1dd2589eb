//! The workers of a pool, and which of them is to get the next message.

use super::sender::Sender;
use crate::flow::{WorkerState, WorkerStatus, identity_text};
use crate::messaging::socket::monitor::Descriptor;
use crate::messaging::workers::protocol::Protocol;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// The number of a worker, from 1, which no other gets.
pub(crate) type WorkerId = u64;

/// One worker, from when it says that it is ready until it is gone.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) identity: Bytes,
    pub(super) connection: Descriptor,
    pub(super) protocol: Protocol,
    key: Option<String>,
    /// How many messages it may have.
    pub(super) capacity: usize,
    /// How many it has.
    pub(super) in_hand: usize,
    /// Its place among those that can take one.
    place: Option<u64>,
    pub(super) is_draining: bool,
    since: Instant,
    /// When something came of it, and when something was sent to it.
    pub(super) heard: Instant,
    pub(super) sent: Instant,
    done: u64,
    took: Duration,
}

/// All workers. The one that has been able to take a message for longest gets the next.
#[derive(Default)]
pub(super) struct Workers {
    by_id: BTreeMap<WorkerId, Worker>,
    by_connection: HashMap<Descriptor, WorkerId>,
    by_identity: HashMap<Bytes, WorkerId>,
    places: BTreeMap<u64, WorkerId>,
    last_id: WorkerId,
    last_place: u64,
}

impl Workers {
    /// Adds one that can take so many messages.
    pub(super) fn add(&mut self, from: Sender, protocol: Protocol, capacity: usize, now: Instant) -> WorkerId {
        self.last_id += 1;
        let Sender { identity, connection, key } = from;
        let (in_hand, place, is_draining, done, took) = Default::default();
        let (since, heard, sent) = (now, now, now);
        let worker = Worker {
            identity,
            connection,
            protocol,
            key,
            capacity,
            in_hand,
            place,
            is_draining,
            since,
            heard,
            sent,
            done,
            took,
        };
        self.by_identity.insert(worker.identity.clone(), self.last_id);
        self.by_id.insert(self.last_id, worker);
        self.by_connection.insert(connection, self.last_id);
        self.settle(self.last_id);
        self.last_id
    }

    pub(super) fn remove(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.by_id.remove(&id)?;
        self.by_connection.remove(&worker.connection);
        self.by_identity.remove(&worker.identity);
        worker.place.map(|place| self.places.remove(&place));
        Some(worker)
    }

    pub(super) fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.by_id.get_mut(&id)
    }

    /// The worker behind a connection.
    pub(super) fn at(&self, connection: Descriptor) -> Option<WorkerId> {
        self.by_connection.get(&connection).copied()
    }

    /// The worker of an identity.
    pub(super) fn with_identity(&self, identity: &Bytes) -> Option<WorkerId> {
        self.by_identity.get(identity).copied()
    }

    /// Whether any could take a message.
    pub(super) fn any_ready(&self) -> bool {
        !self.places.is_empty()
    }

    /// The worker that is to get the next message, which has one more now.
    pub(super) fn take_ready(&mut self) -> Option<(WorkerId, &mut Worker)> {
        let (_, id) = self.places.pop_first()?;
        let worker = self.by_id.get_mut(&id)?;
        worker.place = None;
        worker.in_hand += 1;
        self.settle(id);
        self.by_id.get_mut(&id).map(|worker| (id, worker))
    }

    /// A worker has one message less, since it has answered it; `took` says how long that was, if it was in time.
    pub(super) fn put_down(&mut self, id: WorkerId, took: Option<Duration>) {
        if let Some(worker) = self.by_id.get_mut(&id) {
            worker.in_hand -= 1;
            if let Some(took) = took {
                worker.done += 1;
                worker.took += took;
            }
            self.settle(id);
        }
    }

    /// Has a worker stand last among those that can take a message, or not among them, as it is.
    pub(super) fn settle(&mut self, id: WorkerId) {
        let Some(worker) = self.by_id.get_mut(&id) else { return };
        let is_ready = !worker.is_draining && worker.in_hand < worker.capacity;
        match (is_ready, worker.place) {
            (true, None) => {
                self.last_place += 1;
                worker.place = Some(self.last_place);
                self.places.insert(self.last_place, id);
            }
            (false, Some(place)) => {
                worker.place = None;
                self.places.remove(&place);
            }
            _ => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (WorkerId, &Worker)> {
        self.by_id.iter().map(|(id, worker)| (*id, worker))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (WorkerId, &mut Worker)> {
        self.by_id.iter_mut().map(|(id, worker)| (*id, worker))
    }

    /// How many there are, and how many of them can take a message.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.by_id.len(), self.places.len())
    }
}

impl Worker {
    /// Who it is.
    pub(super) fn into_sender(self) -> Sender {
        let Self { identity, connection, key, .. } = self;
        Sender { identity, connection, key }
    }

    /// As it is reported; its address is known elsewhere.
    pub(super) fn status(&self, id: WorkerId, address: Option<String>, now: Instant) -> WorkerStatus {
        let ms = |since: Instant| u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX);
        WorkerStatus {
            id,
            identity: identity_text(&self.identity),
            protocol: self.protocol.as_str(),
            state: match (self.is_draining, self.in_hand) {
                (true, 0) => WorkerState::Drained,
                (true, _) => WorkerState::Draining,
                (false, 0) => WorkerState::Idle,
                (false, _) => WorkerState::Busy,
            },
            address,
            key: self.key.clone(),
            connected_ms: ms(self.since),
            silent_ms: self.protocol.has_heartbeats().then(|| ms(self.heard)),
            in_flight: self.in_hand as u64,
            done: self.done,
            mean_us: mean_us(self.took, self.done),
        }
    }
}

/// How long each of so many took, in microseconds.
pub(super) fn mean_us(took: Duration, count: u64) -> Option<u64> {
    took.as_micros().checked_div(count.into()).map(|mean| u64::try_from(mean).unwrap_or(u64::MAX))
}
