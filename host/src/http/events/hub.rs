//! The hub: takes events in, and hands them to the streams that they are for. It does no input or output.

mod dispatcher;

pub(super) use dispatcher::{Dispatched, Dispatcher, PLACES_AT_ONCE};

use super::directory::{Directory, Listed, SharedQueue};
use super::event::{EventId, Resume, beginning, bytes_of, kept};
use super::ring::{Put, Ring};
use crate::config::Events;
use crate::flow::{Client, Frames};
use crate::ledger::{Hop, Passage, Reason};
use bytes::Bytes;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::sleep;

/// What comes in a rush gathers for so long, since waking the dispatcher for each message would slow who publishes.
const GATHER: Duration = Duration::from_millis(1);
/// A number that no event has.
const NEVER: u64 = u64::MAX;
/// Over how long the clients of a host that ends are spread when they come back.
const RETURN_MS_MAX: u64 = 5_000;

/// Takes events in, keeps the newest, and has a dispatcher hand them to streams.
///
/// Who holds the lock of the directory may take that of the ring or of a queue, and of those one at a time.
pub struct Hub {
    epoch: u64,
    settings: Events,
    /// Counts events from when they come in until they were handed to the queues of their streams.
    hop: Arc<Hop>,
    /// Counts an event for each stream that it is for.
    streams_hop: Arc<Hop>,
    ring: Mutex<Ring>,
    directory: Mutex<Directory>,
    /// The number of the first event that is in no queue yet. It is used under the lock of the directory.
    begun: AtomicU64,
    /// The number of the first event that is not in all queues of its streams yet. It changes under the lock of the directory.
    dispatched: AtomicU64,
    /// Streams end once everything before this number is in their queues. It changes under the lock of the directory.
    ends_at: AtomicU64,
    /// Wakes the dispatcher.
    awake: Notify,
    permits: Arc<Semaphore>,
    /// Notified when a stream is gone.
    gone: Notify,
    opened: AtomicU64,
    refused: AtomicU64,
}

/// Where a new stream stands.
pub(super) struct StreamStart {
    pub(super) id: u64,
    /// The number of the first event that it is to get.
    pub(super) from: u64,
    /// Nobody knows how many before that are missing.
    pub(super) missed: bool,
    pub(super) permit: OwnedSemaphorePermit,
}

/// How the hub does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCounts {
    /// Streams that are open.
    pub open: u64,
    /// Streams since the start.
    pub opened: u64,
    /// Those that there was no room for.
    pub refused: u64,
    /// Events that are kept.
    pub kept_messages: u64,
    /// Their bytes.
    pub kept_bytes: u64,
}

impl Hub {
    /// A hub that counts events at `hop`, and at `streams_hop` for each stream.
    pub fn new(settings: Events, hop: Arc<Hop>, streams_hop: Arc<Hop>) -> Arc<Self> {
        // The standard library seeds its hash maps from the system's randomness.
        let epoch = RandomState::new().build_hasher().finish();
        Arc::new(Self {
            epoch,
            hop,
            streams_hop,
            ring: Mutex::new(Ring::new(settings.ring_messages_max, settings.ring_bytes_max)),
            directory: Mutex::default(),
            begun: AtomicU64::new(1),
            dispatched: AtomicU64::new(1),
            ends_at: AtomicU64::new(NEVER),
            awake: Notify::new(),
            permits: Arc::new(Semaphore::new(settings.streams_max)),
            gone: Notify::new(),
            opened: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            settings,
        })
    }

    /// What is configured.
    pub fn settings(&self) -> &Events {
        &self.settings
    }

    /// Takes a message in, without waiting.
    pub fn publish(&self, frames: &Frames) {
        if frames.is_empty() {
            return self.hop.refuse(Reason::NoFrames);
        }
        let is_lost = bytes_of(frames) > self.settings.ring_bytes_max;
        let frames = if is_lost { beginning(frames) } else { kept(frames) };
        // What is overwritten is freed behind the lock.
        let put: Put = lock(&self.ring).put(frames, is_lost, &self.hop);
        if put.wakes {
            self.awake.notify_one();
        }
    }

    /// Finds a place for a stream that begins here, as yet without topics; none if there are as many as may be.
    pub(super) fn enlist(&self, client: Client, queue: &SharedQueue, resume: Resume) -> Option<StreamStart> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let mut directory = lock(&self.directory);
        if self.ends_at.load(Ordering::Relaxed) != NEVER {
            lock(queue).end();
        }
        let id = directory.add(Arc::clone(queue), client);
        let mut ring = lock(&self.ring);
        if directory.len() == 1 {
            self.begun.store(ring.next(), Ordering::Relaxed);
            self.dispatched.store(ring.next(), Ordering::Release);
            ring.set_watched(true);
        }
        let (oldest, next) = (ring.oldest(), ring.next());
        let (from, missed) = match resume {
            Resume::Now => (next, false),
            Resume::Earliest => (oldest, false),
            Resume::After(EventId { epoch, number }) if epoch == self.epoch => match number < next {
                true => (number + 1, false),
                false => (next, true),
            },
            // Whatever is kept came after what another run of the host has sent.
            Resume::After(_) | Resume::Unknown => (oldest, true),
        };
        Some(StreamStart { id, from, missed, permit })
    }

    /// Hands events to streams for ever. Nobody else may do so at the same time.
    pub async fn run(self: Arc<Self>) {
        let mut dispatcher = Dispatcher::new(Arc::clone(&self), PLACES_AT_ONCE);
        loop {
            match dispatcher.dispatch() {
                Dispatched::Some => yield_now().await,
                Dispatched::Everything => {
                    let rest = sleep(GATHER);
                    self.awake.notified().await;
                    if !self.ring().is_urgent() {
                        tokio::select! {
                            () = rest => {}
                            () = self.awake.notified() => {}
                        }
                    }
                }
            }
        }
    }

    /// Has all streams end once they have given what has come in by now, those too that are still to come.
    pub fn end(&self) {
        let _directory = lock(&self.directory);
        self.ends_at.store(self.ring().next(), Ordering::Relaxed);
        self.awake.notify_one();
    }

    /// Waits until no stream is open.
    pub async fn all_gone(&self) {
        loop {
            let gone = self.gone.notified();
            if lock(&self.directory).len() == 0 {
                return;
            }
            gone.await;
        }
    }

    /// A stream was opened.
    pub(super) fn count_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// How it does.
    pub fn counts(&self) -> StreamCounts {
        let open = lock(&self.directory).len() as u64;
        let ring = lock(&self.ring);
        StreamCounts {
            open,
            opened: self.opened.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            kept_messages: ring.messages() as u64,
            kept_bytes: ring.bytes() as u64,
        }
    }

    /// All streams that are open, by their numbers.
    pub(super) fn listed(&self) -> Vec<(u64, Listed)> {
        lock(&self.directory).listed()
    }

    /// The hops that a stream's events go through.
    pub(super) fn streams_hop(&self) -> &Arc<Hop> {
        &self.streams_hop
    }

    /// The numbers of the events that are kept.
    pub(in crate::http) fn kept(&self) -> Range<u64> {
        let ring = self.ring();
        ring.oldest()..ring.next()
    }

    pub(super) fn ring(&self) -> MutexGuard<'_, Ring> {
        lock(&self.ring)
    }

    /// Everything before this number is in the queues of its streams.
    pub(super) fn dispatched(&self) -> u64 {
        self.dispatched.load(Ordering::Acquire)
    }

    pub(super) fn id(&self, number: u64) -> EventId {
        EventId { epoch: self.epoch, number }
    }

    /// Has what comes from this number on come by the queue of a stream; false if the dispatcher is further already.
    pub(super) fn go_live(&self, queue: &SharedQueue, from: u64) -> bool {
        let _directory = lock(&self.directory);
        let is_in_time = from >= self.begun.load(Ordering::Relaxed);
        if is_in_time {
            lock(queue).go_live(from);
        }
        is_in_time
    }

    pub(super) fn add_topic(&self, stream: u64, topic: &Bytes) {
        lock(&self.directory).add_topic(stream, topic);
    }

    pub(super) fn remove_topic(&self, stream: u64, topic: &Bytes) {
        lock(&self.directory).remove_topic(stream, topic);
    }

    pub(super) fn remove<'a>(&self, stream: u64, topics: impl IntoIterator<Item = &'a Bytes>) {
        let mut directory = lock(&self.directory);
        directory.remove(stream, topics);
        let unwanted = match directory.len() {
            0 => self.ring().set_watched(false),
            _ => Default::default(),
        };
        drop(directory);
        unwanted.into_iter().for_each(Passage::out);
        self.gone.notify_waiters();
    }

    /// How long a client is to wait before it comes back: each another time, so that not all come at once.
    pub(super) fn retry_ms(&self, at_end: bool) -> u64 {
        let Events { retry_ms, .. } = self.settings;
        let spread = if at_end { retry_ms.max(RETURN_MS_MAX) } else { retry_ms };
        retry_ms + RandomState::new().build_hasher().finish() % (spread + 1)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is locked is whole at every panic: each change is a few assignments.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
