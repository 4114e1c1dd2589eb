//! One hop: its counters, and the passage that each unit holds while it is inside.

use super::{HopCounts, PeerQueues, Reason};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// More threads than this share shards.
pub(super) const SHARDS: usize = 16;

/// The counters of one hop. Each thread counts in a shard of its own, so that threads do not wait for each other; a
/// reader locks all shards at once, and so gets the counts as of one moment.
#[derive(Debug, Default)]
pub struct Hop {
    shards: [Arc<Shard>; SHARDS],
    /// The number of the last unit that entered with a number.
    number: AtomicU64,
    peer_queues: PeerQueues,
}

/// The counters of one thread, on cache lines of their own. A passage ends in the shard that it entered by, on whatever
/// thread: so each shard is balanced by itself, and its count of what is in flight never falls below zero.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    counts: Mutex<HopCounts>,
    closed: AtomicBool,
}

impl Hop {
    /// Counts one unit in. The passage that is returned counts its end.
    pub fn enter(&self) -> Passage {
        let shard = self.shard();
        let mut counts = shard.lock();
        counts.entered += 1;
        counts.in_flight += 1;
        drop(counts);
        Passage { shard: Arc::clone(shard), verdict: None, of_client: false }
    }

    /// As [`Self::enter`], with the number of the unit, from 1. It is for hops at which something depends on the
    /// number, and all units of such a hop enter by it: the numbers come from one counter, which all threads share.
    pub fn enter_numbered(&self) -> (Passage, u64) {
        let number = self.next_number();
        (self.enter(), number)
    }

    /// The next number of this hop, for a unit that another one counts.
    pub fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// From now on a passage that is dropped without a verdict counts as abandoned by the host, whether or not a client
    /// waited.
    pub fn close(&self) {
        self.shards.iter().for_each(|shard| shard.closed.store(true, Ordering::Relaxed));
    }

    /// Counts one unit that came in and was dropped on the spot.
    pub fn refuse(&self, reason: Reason) {
        self.refuse_many(reason, 1);
    }

    /// Counts so many units that came in and were dropped on the spot.
    pub fn refuse_many(&self, reason: Reason, count: u64) {
        let mut counts = self.shard().lock();
        counts.entered += count;
        *counts.dropped.entry(reason).or_default() += count;
    }

    /// Counts one unit that came in and went out on the spot.
    pub fn pass(&self) {
        let mut counts = self.shard().lock();
        counts.entered += 1;
        counts.out += 1;
    }

    /// What was thrown away behind this hop, if it ends in a socket.
    pub fn peer_queues(&self) -> &PeerQueues {
        &self.peer_queues
    }

    /// All counts as of one moment.
    pub fn figures(&self) -> HopCounts {
        // No other code holds two of these locks, and all readers lock them in the same order, so there is no deadlock.
        let shards = self.shards.each_ref().map(|shard| shard.lock());
        let mut whole = HopCounts::default();
        for counts in &shards {
            whole.entered += counts.entered;
            whole.out += counts.out;
            whole.in_flight += counts.in_flight;
            for (reason, count) in &counts.dropped {
                *whole.dropped.entry(*reason).or_default() += count;
            }
        }
        whole
    }

    fn shard(&self) -> &Arc<Shard> {
        &self.shards[own_shard()]
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, HopCounts> {
        // The counts are consistent even after a panic: each change is a few additions.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of the calling thread's shard, the same at every hop. Threads get theirs in turn, when they first count.
pub(super) fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: Cell<Option<usize>> = const { Cell::new(None) });
    OWN.get().unwrap_or_else(|| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        OWN.set(Some(next));
        next
    })
}

/// One unit inside a hop, from its entry to its end.
#[derive(Debug)]
#[must_use = "a passage that is dropped counts as abandoned"]
pub struct Passage {
    shard: Arc<Shard>,
    verdict: Option<Result<(), Reason>>,
    of_client: bool,
}

impl Passage {
    /// Marks the unit as one that a client waits for: dropped without a verdict, it counts as [`Reason::ClientGone`].
    pub fn of_client(mut self) -> Self {
        self.of_client = true;
        self
    }

    /// The unit went out.
    pub fn out(mut self) {
        self.verdict = Some(Ok(()));
    }

    /// The unit did not go out.
    pub fn dropped(mut self, reason: Reason) {
        self.verdict = Some(Err(reason));
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let given_up = match self.of_client && !self.shard.closed.load(Ordering::Relaxed) {
            true => Reason::ClientGone,
            false => Reason::Abandoned,
        };
        let mut counts = self.shard.lock();
        counts.in_flight -= 1;
        match self.verdict.unwrap_or(Err(given_up)) {
            Ok(()) => counts.out += 1,
            Err(reason) => *counts.dropped.entry(reason).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn every_end_is_counted_once() {
        let hop = Hop::default();
        hop.enter().out();
        hop.enter().dropped(Reason::TooLarge);
        drop(hop.enter());
        hop.refuse(Reason::QueueFull);
        hop.refuse_many(Reason::SubscriberFull, 3);
        hop.pass();
        let inside = hop.enter();

        let counts = hop.figures();
        assert_eq!((counts.entered, counts.out, counts.in_flight), (9, 2, 1));
        for (reason, count) in
            [(Reason::TooLarge, 1), (Reason::Abandoned, 1), (Reason::QueueFull, 1), (Reason::SubscriberFull, 3)]
        {
            assert_eq!(counts.dropped(reason), count, "{reason:?}");
        }
        assert!(counts.balanced());
        inside.out();
        assert_eq!(hop.figures().in_flight, 0);
    }

    #[test]
    fn a_client_gives_up_as_long_as_the_host_does_not() {
        let hop = Hop::default();
        drop(hop.enter().of_client());
        let inside = hop.enter().of_client();
        hop.close();
        drop(inside);
        drop(hop.enter().of_client());
        hop.enter().of_client().out();
        let counts = hop.figures();
        assert_eq!((counts.dropped(Reason::ClientGone), counts.dropped(Reason::Abandoned), counts.out), (1, 2, 1));
    }

    #[test]
    fn a_passage_may_end_on_another_thread_and_after_its_hop() {
        let hop = Hop::default();
        let passages: Vec<_> = (0..3).map(|_| hop.enter()).collect();
        let (first, rest) = thread::scope(|scope| {
            let ending = scope.spawn(|| {
                let mut passages = passages.into_iter();
                let first = passages.next();
                passages.next().expect("the second").out();
                (first, passages)
            });
            ending.join().expect("no panic")
        });
        let counts = hop.figures();
        assert_eq!((counts.entered, counts.out, counts.in_flight), (3, 1, 2));
        drop(hop);
        drop((first, rest));
    }

    /// More threads than shards enter, and end what others entered, while one reads.
    #[test]
    fn it_is_balanced_and_never_goes_back_whoever_enters_ends_and_reads() {
        const THREADS: u64 = SHARDS as u64 + 3;
        const EACH: u64 = 5_000;
        let hop = Hop::default();
        let (give, take) = mpsc::channel::<Passage>();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (hop, give) = (&hop, give.clone());
                scope.spawn(move || {
                    for unit in 0..EACH {
                        match (thread + unit) % 4 {
                            0 => hop.enter().out(),
                            1 => hop.refuse(Reason::QueueFull),
                            2 => hop.pass(),
                            _ => give.send(hop.enter()).expect("somebody takes it"),
                        }
                    }
                });
            }
            drop(give);
            scope.spawn(move || take.into_iter().for_each(Passage::out));
            scope.spawn(|| {
                let mut before = HopCounts::default();
                while before.entered < THREADS * EACH || before.in_flight > 0 {
                    let now = hop.figures();
                    assert!(now.balanced(), "{now:?}");
                    let ended = |counts: &HopCounts| counts.out + counts.dropped(Reason::QueueFull);
                    assert!(now.entered >= before.entered && ended(&now) >= ended(&before), "{before:?} {now:?}");
                    before = now;
                }
            });
        });
        let counts = hop.figures();
        assert_eq!((counts.entered, counts.in_flight), (THREADS * EACH, 0));
        assert!(counts.balanced(), "{counts:?}");
    }

    #[test]
    fn numbers_are_drawn_once_and_without_a_gap() {
        let hop = Hop::default();
        let draw = || (0..1_000).map(|_| hop.enter_numbered().1).collect::<Vec<_>>();
        let numbers = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(draw));
            threads.map(|thread| thread.join().expect("no panic"))
        });
        assert!(numbers.iter().all(|numbers| numbers.is_sorted()), "a thread's own come in order");
        let all: BTreeSet<u64> = numbers.into_iter().flatten().collect();
        assert_eq!((all.len(), all.first(), all.last()), (4_000, Some(&1), Some(&4_000)));
    }
}
