//! Mailboxes with consumers of each kind, and producers that wait for room.

use super::*;
use crate::flow::bell::Bell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
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
