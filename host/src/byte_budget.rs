//! A bound on bytes in memory: work reserves the most that it may need before it begins, and keeps what it needed.

use crate::config::BODY_BYTES_UNCOUNTED;
use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bound on bytes, and how many of them each [`Held`] takes together.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    bytes_max: usize,
    taken: Mutex<Taken>,
}

/// What all parts of a budget come to. Both numbers change under one lock: a part that took itself for alone by a count
/// of a moment ago would go past the bound beside others.
#[derive(Debug)]
struct Taken {
    bytes: usize,
    /// How many parts are not settled.
    reserved: usize,
}

/// The bytes that one of several users of a budget takes with all its parts. Each has to leave half as many to the
/// others. It changes under the lock of the budget.
#[derive(Clone, Debug, Default)]
pub(crate) struct BudgetShare(Arc<AtomicUsize>);

/// Bytes reserved from a budget, which are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<ByteBudget>,
    share: Option<BudgetShare>,
    bytes: usize,
    is_settled: bool,
}

impl ByteBudget {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, taken: Mutex::new(Taken { bytes: 0, reserved: 0 }) })
    }

    /// Whether so many bytes could be reserved now.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        let taken = self.taken();
        self.admits(taken.bytes, bytes, taken.reserved == 0)
    }

    /// Reserves so many bytes; none if there is no room for them.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        self.reserve_of(None, bytes)
    }

    /// As [`Self::reserve`], for the user with this share: it gets nothing if less than half of what it takes already
    /// would be left. So a user that keeps its bytes for long takes at most two thirds of what the others leave, and
    /// the next user still finds room.
    pub(crate) fn reserve_of(self: &Arc<Self>, share: Option<&BudgetShare>, bytes: usize) -> Option<Held> {
        let mut taken = self.taken();
        let alone = taken.reserved == 0;
        if !self.take(&mut taken, share, bytes, 0, alone) {
            return None;
        }
        taken.reserved += 1;
        Some(Held { budget: Arc::clone(self), share: share.cloned(), bytes, is_settled: false })
    }

    /// Takes so many bytes more for a part that has some already; false, and no change, if there is no room for them.
    fn take(&self, taken: &mut Taken, share: Option<&BudgetShare>, bytes: usize, own: usize, alone: bool) -> bool {
        let of_share = share.map_or(0, |share| share.0.load(Ordering::Relaxed));
        let admitted = self.admits(taken.bytes, bytes.saturating_add(of_share / 2), false)
            || alone && self.admits(taken.bytes - own, bytes, true);
        if admitted {
            taken.bytes = taken.bytes.saturating_add(bytes);
            share.inspect(|share| _ = share.0.fetch_add(bytes, Ordering::Relaxed));
        }
        admitted
    }

    /// A part that is alone is admitted as long as any byte is left: work that may need more than the whole budget
    /// could never begin otherwise.
    fn admits(&self, taken: usize, bytes: usize, alone: bool) -> bool {
        taken.saturating_add(bytes) <= self.bytes_max || alone && taken < self.bytes_max
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// So many bytes of a budget that nobody else has a part of.
    pub(crate) fn alone(bytes: usize) -> Self {
        let budget = ByteBudget { bytes_max: bytes, taken: Mutex::new(Taken { bytes, reserved: 1 }) };
        Self { budget: Arc::new(budget), share: None, bytes, is_settled: false }
    }

    /// Reserves so many bytes more for a part that is not settled; false, and no change, if there is no room for them.
    /// A part that is alone may grow past the bound, as if it had reserved everything at once.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let mut taken = self.budget.taken();
        let alone = taken.reserved == 1;
        let grown = self.budget.take(&mut taken, self.share.as_ref(), bytes, self.bytes, alone);
        if grown {
            self.bytes += bytes;
        }
        grown
    }

    /// The work is done, and its result takes so many bytes: the rest is given back.
    pub(crate) fn settle(&mut self, bytes: usize) {
        let mut taken = self.budget.taken();
        taken.bytes = taken.bytes - self.bytes + bytes;
        if let Some(BudgetShare(of_share)) = &self.share {
            of_share.store(of_share.load(Ordering::Relaxed) - self.bytes + bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        if !std::mem::replace(&mut self.is_settled, true) {
            taken.reserved -= 1;
        }
    }

    /// How many bytes this part takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Splits so many bytes, or as many as there are, off into a settled part of their own.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: Arc::clone(&self.budget), share: self.share.clone(), bytes, is_settled: true }
    }

    /// Returns the bytes with this part attached, settled: it is given back when the last clone of the bytes is
    /// dropped. A small body is not counted: there is at most one for each request, and counting it would cost as much
    /// as sending it.
    pub(crate) fn keep(mut self, bytes: impl Into<Bytes>) -> Bytes {
        struct Kept(Bytes, #[expect(dead_code, reason = "it is held")] Held);
        impl AsRef<[u8]> for Kept {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        let bytes = bytes.into();
        if bytes.len() <= BODY_BYTES_UNCOUNTED {
            return bytes;
        }
        self.settle(bytes.len());
        Bytes::from_owner(Kept(bytes, self))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.settle(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ByteBudget {
        fn taken_and_reserved(&self) -> (usize, usize) {
            let taken = self.taken();
            (taken.bytes, taken.reserved)
        }
    }

    #[test]
    fn what_is_reserved_and_what_is_left_of_it_stay_within_the_bound() {
        let budget = ByteBudget::new(100);
        let (mut first, second) = (budget.reserve(50).expect("room"), budget.reserve(50).expect("room"));
        assert!(!budget.has_room_for(1) && budget.reserve(1).is_none());
        first.settle(20);
        assert!(budget.has_room_for(30) && !budget.has_room_for(31));
        drop(second);
        let part = first.split(15);
        drop(first);
        assert!(budget.has_room_for(85) && budget.reserve(85).is_some());
        drop(part);
        assert_eq!(budget.taken_and_reserved(), (0, 0));
    }

    #[test]
    fn who_is_alone_is_let_in_as_long_as_anything_is_left() {
        let budget = ByteBudget::new(100);
        let mut large = budget.reserve(1_000).expect("alone");
        assert!(budget.reserve(1).is_none());
        large.settle(99);
        assert!(budget.has_room_for(1_000));
        let mut larger = budget.reserve(1_000).expect("alone again");
        larger.settle(1);
        assert!(!budget.has_room_for(1) && budget.reserve(1).is_none(), "nothing is left");
    }

    #[test]
    fn a_share_gets_no_more_than_it_leaves_to_the_others() {
        let (budget, slow, other) = (ByteBudget::new(100), BudgetShare::default(), BudgetShare::default());
        let take = |share: &BudgetShare| budget.reserve_of(Some(share), 10);
        let parts: Vec<Held> = std::iter::from_fn(|| take(&slow)).collect();
        assert_eq!(parts.len(), 7, "two thirds, and what was begun");
        let mut others: Vec<Held> = std::iter::from_fn(|| take(&other)).collect();
        assert_eq!(others.len(), 2, "two thirds of what is left");
        assert!(take(&BudgetShare::default()).is_some(), "the next");
        // What is given back counts for both.
        others.truncate(1);
        others[0].settle(5);
        drop(parts);
        assert_eq!((slow.0.load(Ordering::Relaxed), other.0.load(Ordering::Relaxed)), (0, 5));
        assert_eq!(std::iter::from_fn(|| take(&slow)).take(9).collect::<Vec<_>>().len(), 6);
        drop(others);
        assert!(budget.reserve_of(Some(&slow), 1_000).is_some(), "alone");
    }

    #[test]
    fn a_part_grows_within_the_bound_and_alone_past_it() {
        let budget = ByteBudget::new(100);
        let (mut first, mut second) = (budget.reserve(0).expect("room"), budget.reserve(40).expect("room"));
        assert!(first.grow(60) && !first.grow(1) && !second.grow(1), "neither is alone");
        drop(second);
        assert!(first.grow(1_000) && first.grow(1_000), "alone");
        assert!(budget.reserve(0).is_none(), "nothing is left");
        drop(first);
        assert_eq!(budget.taken_and_reserved(), (0, 0));
    }

    #[test]
    fn several_threads_never_take_more_than_there_is() {
        let budget = ByteBudget::new(1_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..20_000 {
                        if let Some(mut held) = budget.reserve(300) {
                            // What is settled leaves room enough that a part that is alone stays within the bound too.
                            assert!(budget.taken_and_reserved().0 <= 1_000);
                            held.settle(round % 30);
                        }
                    }
                });
            }
        });
        assert_eq!(budget.taken_and_reserved(), (0, 0));
    }
}
