//! The room of a mailbox: how much of it is taken up, and the producers that wait until less is.

use super::PushError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// How many items wait or are being worked on, and their bytes, within their bounds.
#[derive(Debug)]
pub(super) struct TakenUp {
    items_max: usize,
    bytes_max: usize,
    items: AtomicUsize,
    bytes: AtomicUsize,
    /// Whether any producer waits for room, so that nobody asks for the lock in vain.
    is_awaited: AtomicBool,
    producers: Mutex<Vec<Producer>>,
}

/// A producer that waits for room for so many bytes.
#[derive(Debug)]
struct Producer {
    bytes: usize,
    waker: Waker,
}

/// The room of one item, which is free again when this is dropped.
#[derive(Debug)]
#[must_use = "the room is free as soon as this is dropped"]
pub(crate) struct Room {
    taken_up: Arc<TakenUp>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken_up.items.fetch_sub(1, Ordering::SeqCst);
        self.taken_up.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        self.taken_up.wake_if_ample();
    }
}

impl TakenUp {
    pub(super) fn new(items_max: usize, bytes_max: usize) -> Self {
        let (items, bytes, is_awaited, producers) = Default::default();
        Self { items_max, bytes_max, items, bytes, is_awaited, producers }
    }

    /// Takes up the room of one item; one after the other, so that no two take the same.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn take_up(self: &Arc<Self>, bytes: usize) -> Result<Room, PushError> {
        if self.items() >= self.items_max {
            return Err(PushError::TooManyItems);
        }
        if !self.has_bytes(bytes) {
            return Err(PushError::TooManyBytes);
        }
        self.items.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(Room { taken_up: Arc::clone(self), bytes })
    }

    /// How many items have room.
    pub(super) fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }

    /// How many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Has the waker woken once there is ample room for so many bytes. Returns whether there is already.
    pub(super) fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        let mut producers = self.producers();
        match producers.iter_mut().find(|producer| producer.waker.will_wake(waker)) {
            Some(known) => known.bytes = bytes,
            None => producers.push(Producer { bytes, waker: waker.clone() }),
        }
        drop(producers);
        self.is_awaited.store(true, Ordering::SeqCst);
        self.has_ample_room(bytes)
    }

    /// Wakes a producer no more.
    pub(super) fn forget(&self, waker: &Waker) {
        self.producers().retain(|producer| !producer.waker.will_wake(waker));
    }

    fn has_bytes(&self, bytes: usize) -> bool {
        let others = self.bytes.load(Ordering::SeqCst);
        others == 0 || others.saturating_add(bytes) <= self.bytes_max
    }

    /// Whether it is worthwhile to go on putting in: a producer that is woken for each place does little else.
    fn has_ample_room(&self, bytes: usize) -> bool {
        self.items.load(Ordering::SeqCst) <= self.items_max / 2 && self.has_bytes(bytes)
    }

    fn wake_if_ample(&self) {
        if !self.is_awaited.load(Ordering::SeqCst) {
            return;
        }
        let mut producers = self.producers();
        let woken: Vec<_> = producers.extract_if(.., |producer| self.has_ample_room(producer.bytes)).collect();
        self.is_awaited.store(!producers.is_empty(), Ordering::SeqCst);
        drop(producers);
        woken.into_iter().for_each(|producer| producer.waker.wake());
    }

    pub(super) fn wake_all(&self) {
        let producers = std::mem::take(&mut *self.producers());
        producers.into_iter().for_each(|producer| producer.waker.wake());
    }

    fn producers(&self) -> MutexGuard<'_, Vec<Producer>> {
        self.producers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
