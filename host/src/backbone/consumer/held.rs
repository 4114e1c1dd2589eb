//! The deliveries that are with this host: each until its flow is done with it.

use super::verdict::{Ended, Standing, Verdict};
use async_nats::jetstream::message::Acker;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Shared by the task that reads, the one that acknowledges, and what flows hold.
pub(super) struct Deliveries {
    held: Mutex<HashMap<Standing, Held>>,
    /// After which time the server delivers again what it has not heard of.
    ack_wait_ms: AtomicU64,
    /// There are no more of them than deliveries that are held.
    ended: mpsc::UnboundedSender<Ended>,
}

/// One that is held.
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
    pub(super) fn new(ack_wait_ms: u64) -> (Arc<Self>, mpsc::UnboundedReceiver<Ended>) {
        let (ended, receiver) = mpsc::unbounded_channel();
        (Arc::new(Self { held: Mutex::default(), ack_wait_ms: AtomicU64::new(ack_wait_ms), ended }), receiver)
    }

    /// A message was delivered. False if it is held already, and then its end is told by the newer of the two.
    pub(super) fn take(&self, standing: Standing, acker: Acker, now: Instant) -> bool {
        let held = Held { acker: Arc::new(acker), told: now };
        self.lock().insert(standing, held).is_none()
    }

    /// By which the server is told of one that is held; none if it is not.
    pub(super) fn acker(&self, standing: Standing) -> Option<Arc<Acker>> {
        self.lock().get(&standing).map(|held| Arc::clone(&held.acker))
    }

    /// What is to be told of one whose end has come; none if that was told.
    pub(super) fn end(&self, standing: Standing) -> Option<Arc<Acker>> {
        self.lock().remove(&standing).map(|held| held.acker)
    }

    /// The consumer is one of the stream that was made then, with this wait. What is held of one before is not acknowledged any
    /// more: that would be another message.
    pub(super) fn open(&self, made: i128, ack_wait: Duration) {
        self.ack_wait_ms.store(u64::try_from(ack_wait.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.lock().retain(|standing, _| standing.made == made);
    }

    pub(super) fn ack_wait(&self) -> Duration {
        Duration::from_millis(self.ack_wait_ms.load(Ordering::Relaxed))
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
    pub(super) fn tell(&self, standing: Standing, deliveries: u32, verdict: Verdict) {
        // Once nobody acknowledges any more the server delivers it again.
        let _ = self.ended.send(Ended { standing, deliveries, verdict });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Standing, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
