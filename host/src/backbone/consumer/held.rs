//! The deliveries that are with this host: each until its flow is done with it.

use super::verdict::{Ended, Verdict};
use async_nats::jetstream::message::Acker;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Shared by the task that reads, the one that acknowledges, and what flows hold.
pub(super) struct Deliveries {
    held: Mutex<HashMap<u64, Held>>,
    /// There are no more of them than deliveries that are held.
    ended: mpsc::UnboundedSender<Ended>,
}

/// One that is held, by its number in the stream.
struct Held {
    acker: Arc<Acker>,
    /// When the server was last told that it is being worked on.
    told: Instant,
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries").field("held", &self.len()).finish_non_exhaustive()
    }
}

impl Deliveries {
    pub(super) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<Ended>) {
        let (ended, receiver) = mpsc::unbounded_channel();
        (Arc::new(Self { held: Mutex::default(), ended }), receiver)
    }

    /// A message was delivered. False if it is held already, and then its end is told by the newer of the two.
    pub(super) fn take(&self, sequence: u64, acker: Acker, now: Instant) -> bool {
        let held = Held { acker: Arc::new(acker), told: now };
        self.lock().insert(sequence, held).is_none()
    }

    /// What is to be told of one whose end has come; none if that was told.
    pub(super) fn end(&self, sequence: u64) -> Option<Arc<Acker>> {
        self.lock().remove(&sequence).map(|held| held.acker)
    }

    /// Those that the server has not been told of for so long that they are being worked on. They count as told now.
    pub(super) fn silent(&self, time: Duration, now: Instant) -> Vec<Arc<Acker>> {
        let mut held = self.lock();
        let silent = held.values_mut().filter(|held| now.saturating_duration_since(held.told) >= time);
        silent
            .map(|held| {
                held.told = now;
                Arc::clone(&held.acker)
            })
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// What became of one.
    pub(super) fn tell(&self, sequence: u64, deliveries: u32, verdict: Verdict) {
        // Once nobody acknowledges any more the server delivers it again.
        let _ = self.ended.send(Ended { sequence, deliveries, verdict });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
