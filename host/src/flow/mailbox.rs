//! A bounded queue to one consumer, which may be a thread, a task or a loop that polls descriptors.
//!
//! The consumer leaves a [`Waker`] when it goes to sleep, and the next item takes and wakes it. A consumer that is
//! awake is not woken, so a queue under load costs no system call. An item takes up room until its consumer drops its
//! [`Room`], so items that were taken and are still being worked on count.

mod room;
#[cfg(test)]
mod tests;

pub(crate) use room::Room;

use room::TakenUp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

/// Items from any number of threads to one consumer, first in, first out.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    state: Mutex<MailboxState<T>>,
    taken_up: Arc<TakenUp>,
}

#[derive(Debug)]
struct MailboxState<T> {
    items: VecDeque<(T, Room)>,
    /// The consumer's waker, while it sleeps.
    sleeper: Option<Waker>,
    closed: bool,
}

/// Why an item was not put in. Nothing was made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// There are as many items as there may be.
    TooManyItems,
    /// The items have as many bytes as they may.
    TooManyBytes,
    /// Nothing is taken in any more.
    Closed,
}

impl<T> Mailbox<T> {
    /// A mailbox for so many items, with so many bytes together.
    pub(crate) fn new(items_max: usize, bytes_max: usize) -> Self {
        let state = MailboxState { items: VecDeque::new(), sleeper: None, closed: false };
        Self { state: Mutex::new(state), taken_up: Arc::new(TakenUp::new(items_max, bytes_max)) }
    }

    /// Puts in an item of so many bytes, without waiting; `make` is called only if there is room for it. An item that
    /// is alone always has room: the bytes of one item are bounded elsewhere.
    ///
    /// # Errors
    /// When there is no room, or the mailbox was closed.
    pub(crate) fn push(&self, bytes: usize, make: impl FnOnce() -> T) -> Result<(), PushError> {
        let mut state = self.lock();
        let room = self.take_up(&state, bytes)?;
        state.items.push_back((make(), room));
        wake(state);
        Ok(())
    }

    /// Takes up the room of an item that is put in later, or never: then the room is free again.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Room, PushError> {
        self.take_up(&self.lock(), bytes)
    }

    /// Puts in an item whose room was reserved here; `make` is not called if the mailbox was closed meanwhile.
    ///
    /// # Errors
    /// When it was.
    pub(crate) fn push_reserved(&self, room: Room, make: impl FnOnce() -> T) -> Result<(), PushError> {
        let mut state = self.lock();
        if state.closed {
            return Err(PushError::Closed);
        }
        state.items.push_back((make(), room));
        wake(state);
        Ok(())
    }

    /// The lock is held meanwhile, so that the room is nobody else's.
    fn take_up(&self, state: &MailboxState<T>, bytes: usize) -> Result<Room, PushError> {
        if state.closed { Err(PushError::Closed) } else { self.taken_up.take_up(bytes) }
    }

    /// Takes in nothing more. What is in it can still be taken.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        wake(state);
        self.taken_up.wake_all();
    }

    /// For a producer that found no room for so many bytes: has the waker woken once there is room again, and half of
    /// the places are free, or the mailbox is closed. Returns whether that is so already; then nobody is woken.
    pub(crate) fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        // Looked at once the waker is there, so that neither room nor the end is missed.
        let is_over = self.taken_up.await_room(bytes, waker) || self.is_closed();
        if is_over {
            self.taken_up.forget(waker);
        }
        is_over
    }

    /// Whether it takes in nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// How many items wait or are being worked on.
    pub(crate) fn len(&self) -> usize {
        self.taken_up.items()
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.taken_up.bytes()
    }

    /// For the consumer: appends all items that wait to `into`. Returns whether more may come.
    pub(crate) fn take_all(&self, into: &mut VecDeque<(T, Room)>) -> bool {
        let mut state = self.lock();
        state.sleeper = None;
        if into.is_empty() {
            std::mem::swap(&mut state.items, into);
        } else {
            into.append(&mut state.items);
        }
        !state.closed
    }

    /// For the consumer: whether it may sleep now. If so, the waker is woken by the next item or by the end, unless the
    /// consumer takes something before.
    pub(crate) fn may_sleep(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let may = state.items.is_empty() && !state.closed;
        state.sleeper = may.then(|| waker.clone());
        may
    }

    /// For a consumer that is a task: the next item; none when the mailbox is closed and empty.
    pub(crate) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Option<(T, Room)>> {
        let mut state = self.lock();
        let item = state.items.pop_front();
        let is_over = item.is_some() || state.closed;
        state.sleeper = (!is_over).then(|| context.waker().clone());
        if is_over { Poll::Ready(item) } else { Poll::Pending }
    }

    /// For a consumer that is a thread: the next item, waiting for it; none when the mailbox is closed and empty.
    pub(crate) fn take(&self) -> Option<(T, Room)> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match self.poll_take(&mut Context::from_waker(&waker)) {
                Poll::Ready(item) => return item,
                Poll::Pending => thread::park(),
            }
        }
    }

    /// As [`Self::take`], but waits no longer than until `deadline`: then nothing is ready.
    pub(crate) fn take_until(&self, deadline: Instant) -> Poll<Option<(T, Room)>> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            let taken = self.poll_take(&mut Context::from_waker(&waker));
            let left = deadline.saturating_duration_since(Instant::now());
            if taken.is_ready() || left.is_zero() {
                return taken;
            }
            thread::park_timeout(left);
        }
    }

    fn lock(&self) -> MutexGuard<'_, MailboxState<T>> {
        // A poisoned lock does no harm: each change is a few assignments, so the state is consistent at every panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Releases the lock, and then wakes the consumer if it sleeps: it needs the lock at once.
fn wake<T>(mut state: MutexGuard<'_, MailboxState<T>>) {
    let sleeper = state.sleeper.take();
    drop(state);
    if let Some(sleeper) = sleeper {
        sleeper.wake();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
