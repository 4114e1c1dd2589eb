//! A bounded queue to one consumer, which may be a thread, a task or a loop that polls descriptors.
//!
//! The consumer leaves a [`Waker`] when it goes to sleep, and the next item takes and wakes it. A consumer that is
//! awake is not woken, so a queue under load costs no system call. An item takes up room until its consumer drops its
//! [`Room`], so items that were taken and are still being worked on count.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

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

/// How many items wait or are being worked on, and their bytes, within their bounds.
#[derive(Debug)]
struct TakenUp {
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
        let (items, bytes, is_awaited, producers) = Default::default();
        let taken_up = Arc::new(TakenUp { items_max, bytes_max, items, bytes, is_awaited, producers });
        Self { state: Mutex::new(state), taken_up }
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

    fn take_up(&self, state: &MailboxState<T>, bytes: usize) -> Result<Room, PushError> {
        if state.closed {
            return Err(PushError::Closed);
        }
        if self.len() >= self.taken_up.items_max {
            return Err(PushError::TooManyItems);
        }
        if !self.taken_up.has_bytes(bytes) {
            return Err(PushError::TooManyBytes);
        }
        Ok(Room::take_up(&self.taken_up, bytes))
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
        let taken_up = &self.taken_up;
        let mut producers = taken_up.producers();
        match producers.iter_mut().find(|producer| producer.waker.will_wake(waker)) {
            Some(known) => known.bytes = bytes,
            None => producers.push(Producer { bytes, waker: waker.clone() }),
        }
        drop(producers);
        taken_up.is_awaited.store(true, Ordering::SeqCst);
        let is_over = self.lock().closed || taken_up.has_ample_room(bytes);
        if is_over {
            taken_up.producers().retain(|producer| !producer.waker.will_wake(waker));
        }
        is_over
    }

    /// Whether it takes in nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// How many items wait or are being worked on.
    pub(crate) fn len(&self) -> usize {
        self.taken_up.items.load(Ordering::Relaxed)
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

impl Room {
    fn take_up(taken_up: &Arc<TakenUp>, bytes: usize) -> Self {
        taken_up.items.fetch_add(1, Ordering::Relaxed);
        taken_up.bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { taken_up: Arc::clone(taken_up), bytes }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken_up.items.fetch_sub(1, Ordering::SeqCst);
        self.taken_up.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        self.taken_up.wake_if_ample();
    }
}

impl TakenUp {
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

    fn wake_all(&self) {
        let producers = std::mem::take(&mut *self.producers());
        producers.into_iter().for_each(|producer| producer.waker.wake());
    }

    fn producers(&self) -> MutexGuard<'_, Vec<Producer>> {
        self.producers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::bell::Bell;
    use std::future::poll_fn;
    use std::sync::mpsc;
    use std::time::Duration;

    /// Counts how often it was woken.
    struct Rings(AtomicUsize);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn values<T>(items: VecDeque<(T, Room)>) -> Vec<T> {
        items.into_iter().map(|(item, _)| item).collect()
    }

    fn take_all<T>(mailbox: &Mailbox<T>) -> VecDeque<(T, Room)> {
        let mut items = VecDeque::new();
        mailbox.take_all(&mut items);
        items
    }

    #[test]
    fn a_reserved_place_is_taken_until_its_item_is_put_in_or_given_up() {
        let mailbox = Mailbox::new(2, 100);
        let (first, second) = (mailbox.reserve(60).expect("room"), mailbox.reserve(40).expect("room"));
        assert_eq!(mailbox.push(0, || 'x'), Err(PushError::TooManyItems));
        assert!(take_all(&mailbox).is_empty(), "nothing was put in");
        drop(first);
        assert_eq!(mailbox.push(60, || 'a'), Ok(()));
        assert_eq!(mailbox.push_reserved(second, || 'b'), Ok(()));
        assert_eq!(values(take_all(&mailbox)), ['a', 'b']);
        let late = mailbox.reserve(1).expect("room");
        mailbox.close();
        assert_eq!(mailbox.push_reserved(late, || 'c'), Err(PushError::Closed));
        assert!(mailbox.reserve(1).is_err() && mailbox.len() == 0);
    }

    #[test]
    fn it_is_full_of_items_until_their_room_is_free() {
        let mailbox = Mailbox::new(2, 100);
        assert_eq!((mailbox.push(0, || 1), mailbox.push(0, || 2)), (Ok(()), Ok(())));
        let made = || unreachable!("there is no room for it");
        assert_eq!(mailbox.push(0, made), Err(PushError::TooManyItems));
        // What was taken and is not done with has its room still.
        let mut taken = take_all(&mailbox);
        assert_eq!((taken.len(), mailbox.len(), mailbox.push(0, made)), (2, 2, Err(PushError::TooManyItems)));
        drop(taken.pop_front());
        assert_eq!((mailbox.len(), mailbox.push(0, || 3)), (1, Ok(())));
        mailbox.take_all(&mut taken);
        assert_eq!((values(taken), mailbox.len()), (vec![2, 3], 0));
    }

    #[test]
    fn bytes_have_a_bound_too_but_one_alone_always_has_room() {
        let mailbox = Mailbox::new(10, 100);
        assert_eq!(mailbox.push(1000, || ()), Ok(()));
        assert_eq!(mailbox.push(1, || ()), Err(PushError::TooManyBytes));
        drop(take_all(&mailbox));
        assert_eq!((mailbox.push(60, || ()), mailbox.push(40, || ())), (Ok(()), Ok(())));
        assert_eq!(mailbox.push(1, || ()), Err(PushError::TooManyBytes));
    }

    #[test]
    fn a_producer_without_room_is_woken_once_half_of_it_is_free() {
        let (mailbox, rings) = (Mailbox::new(4, 100), Arc::new(Rings(AtomicUsize::new(0))));
        let (waker, rung) = (Waker::from(Arc::clone(&rings)), || rings.0.load(Ordering::Relaxed));
        (0..4).for_each(|number| mailbox.push(20, || number).unwrap());
        assert!(!mailbox.await_room(20, &waker));
        let mut taken = take_all(&mailbox);
        taken.pop_front();
        assert_eq!(rung(), 0, "a quarter is free");
        taken.pop_front();
        assert_eq!(rung(), 1);
        assert!(mailbox.await_room(60, &waker), "there is room already");
        assert!(!mailbox.await_room(61, &waker), "but not for so many bytes");
        taken.pop_front();
        assert_eq!(rung(), 2);
        mailbox.push(80, || 4).unwrap();
        assert!(!mailbox.await_room(1, &waker));
        mailbox.close();
        assert_eq!(rung(), 3);
        assert!(mailbox.await_room(1, &waker), "it has ended");
    }

    #[test]
    fn a_closed_one_is_taken_to_its_end() {
        let mailbox = Mailbox::new(9, 9);
        let bell = Bell::new().unwrap();
        mailbox.push(1, || 'a').unwrap();
        mailbox.push(1, || 'b').unwrap();
        assert!(!mailbox.may_sleep(bell.waker()));
        mailbox.close();
        assert_eq!(mailbox.push(1, || 'c'), Err(PushError::Closed));
        assert_eq!(mailbox.take().map(|(item, _)| item), Some('a'));
        let mut rest = VecDeque::new();
        assert!(!mailbox.take_all(&mut rest));
        assert_eq!(values(rest), ['b']);
        assert!(mailbox.take().is_none() && !mailbox.may_sleep(bell.waker()));
    }

    #[test]
    fn it_rings_once_for_a_consumer_that_sleeps_and_never_for_one_that_is_awake() {
        let rings = Arc::new(Rings(AtomicUsize::new(0)));
        let (waker, mailbox) = (Waker::from(Arc::clone(&rings)), Mailbox::new(99, 99));
        let rung = || rings.0.load(Ordering::Relaxed);
        mailbox.push(0, || ()).unwrap();
        assert_eq!(rung(), 0);
        take_all(&mailbox);
        assert!(mailbox.may_sleep(&waker));
        mailbox.push(0, || ()).unwrap();
        mailbox.push(0, || ()).unwrap();
        assert_eq!(rung(), 1);
        take_all(&mailbox);
        // One that woke up by itself.
        assert!(mailbox.may_sleep(&waker));
        take_all(&mailbox);
        mailbox.push(0, || ()).unwrap();
        assert_eq!(rung(), 1);
        take_all(&mailbox);
        assert!(mailbox.may_sleep(&waker));
        mailbox.close();
        assert_eq!(rung(), 2);
    }

    const PRODUCERS: u32 = 3;
    const EACH: u32 = 20_000;

    /// Several threads put in bursts with pauses, so that the consumer falls asleep between any two of them. Should a
    /// wake-up be lost, it sleeps for ever, and this says so.
    fn storm(consume: impl FnOnce(&Mailbox<(u32, u32)>, &mut dyn FnMut((u32, u32))) + Send + 'static) {
        let mailbox = Arc::new(Mailbox::new(64, usize::MAX));
        let (consumed, is_consumed) = mpsc::channel();
        let consumer = Arc::clone(&mailbox);
        thread::spawn(move || {
            let mut next = [0; PRODUCERS as usize];
            consume(&consumer, &mut |(producer, number)| {
                assert_eq!(std::mem::replace(&mut next[producer as usize], number + 1), number, "they come in order");
            });
            assert_eq!(consumer.len(), 0);
            consumed.send(next).unwrap();
        });
        let producers = [(); PRODUCERS as usize].map(|()| Arc::clone(&mailbox)).into_iter().zip(0..);
        let producers = producers.map(|(mailbox, producer)| {
            thread::spawn(move || {
                for number in 0..EACH {
                    while mailbox.push(1, || (producer, number)).is_err() {
                        thread::yield_now();
                    }
                    (0..number % 7 * 40).for_each(|_| std::hint::spin_loop());
                }
            })
        });
        producers.collect::<Vec<_>>().into_iter().for_each(|producer| producer.join().unwrap());
        mailbox.close();
        assert_eq!(is_consumed.recv_timeout(Duration::from_secs(60)), Ok([EACH; PRODUCERS as usize]), "it sleeps");
    }

    #[test]
    fn a_thread_misses_no_wake_up() {
        storm(|mailbox, consume| {
            while let Some((item, _room)) = mailbox.take() {
                consume(item);
            }
        });
    }

    #[test]
    fn a_task_misses_no_wake_up() {
        storm(|mailbox, consume| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                while let Some((item, _room)) = poll_fn(|context| mailbox.poll_take(context)).await {
                    consume(item);
                }
            });
        });
    }

    #[test]
    fn a_loop_that_polls_misses_no_wake_up() {
        storm(|mailbox, consume| {
            let (bell, mut items) = (Bell::new().unwrap(), VecDeque::new());
            while mailbox.take_all(&mut items) || !items.is_empty() {
                items.drain(..).for_each(|(item, _room)| consume(item));
                if mailbox.may_sleep(bell.waker()) {
                    bell.silence().unwrap();
                }
            }
        });
    }
}
