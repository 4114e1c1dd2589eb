//! A bound on bytes in memory: work reserves the most that it may need before it begins, and keeps what it needed.

use crate::config::BODY_BYTES_UNCOUNTED;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bound on bytes, and how many of them each [`Held`] takes together.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    bytes_max: usize,
    /// The bytes that all parts take together.
    taken: AtomicUsize,
    /// How many parts are not settled.
    reserved: AtomicUsize,
}

/// The bytes that one of several users of a budget takes with all its parts. Each has to leave half as many to the
/// others.
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
        Arc::new(Self { bytes_max, taken: AtomicUsize::new(0), reserved: AtomicUsize::new(0) })
    }

    /// Whether so many bytes could be reserved now.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        self.admits(self.taken.load(Ordering::Relaxed), bytes, self.reserved.load(Ordering::Relaxed) == 0)
    }

    /// Reserves so many bytes; none if there is no room for them. If several try at the same moment, all may fail.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        self.reserve_of(None, bytes)
    }

    /// As [`Self::reserve`], for the user with this share: it gets nothing if less than half of what it takes already
    /// would be left. So a user that keeps its bytes for long takes at most two thirds of what the others leave, and
    /// the next user still finds room.
    pub(crate) fn reserve_of(self: &Arc<Self>, share: Option<&BudgetShare>, bytes: usize) -> Option<Held> {
        self.reserved.fetch_add(1, Ordering::Relaxed);
        let mut held = Held { budget: Arc::clone(self), share: share.cloned(), bytes: 0, is_settled: false };
        held.grow(bytes).then_some(held)
    }

    /// A part that is alone is admitted as long as any byte is left: work that may need more than the whole budget
    /// could never begin otherwise.
    fn admits(&self, taken: usize, bytes: usize, alone: bool) -> bool {
        taken.saturating_add(bytes) <= self.bytes_max || alone && taken < self.bytes_max
    }
}

impl Held {
    /// So many bytes of a budget that nobody else has a part of.
    pub(crate) fn alone(bytes: usize) -> Self {
        let budget = ByteBudget { bytes_max: bytes, taken: AtomicUsize::new(bytes), reserved: AtomicUsize::new(1) };
        Self { budget: Arc::new(budget), share: None, bytes, is_settled: false }
    }

    /// Reserves so many bytes more for a part that is not settled; false, and no change, if there is no room for them.
    /// A part that is alone may grow past the bound, as if it had reserved everything at once.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let (budget, own) = (&self.budget, self.bytes);
        let alone = budget.reserved.load(Ordering::Relaxed) == 1;
        let of_share = self.share.as_ref().map_or(0, |share| share.0.fetch_add(bytes, Ordering::Relaxed));
        let more = |taken: usize| {
            let admitted = budget.admits(taken, bytes.saturating_add(of_share / 2), false)
                || alone && budget.admits(taken - own, bytes, true);
            admitted.then(|| taken.saturating_add(bytes))
        };
        let grown = budget.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        match &self.share {
            _ if grown => self.bytes += bytes,
            Some(share) => _ = share.0.fetch_sub(bytes, Ordering::Relaxed),
            None => {}
        }
        grown
    }

    /// The work is done, and its result takes so many bytes: the rest is given back.
    pub(crate) fn settle(&mut self, bytes: usize) {
        for count in [Some(&self.budget.taken), self.share.as_ref().map(|share| &*share.0)].into_iter().flatten() {
            match bytes.checked_sub(self.bytes) {
                Some(more) => count.fetch_add(more, Ordering::Relaxed),
                None => count.fetch_sub(self.bytes - bytes, Ordering::Relaxed),
            };
        }
        self.bytes = bytes;
        if !std::mem::replace(&mut self.is_settled, true) {
            self.budget.reserved.fetch_sub(1, Ordering::Relaxed);
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
        assert_eq!((budget.taken.load(Ordering::Relaxed), budget.reserved.load(Ordering::Relaxed)), (0, 0));
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
        assert_eq!((budget.taken.load(Ordering::Relaxed), budget.reserved.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn several_threads_never_take_more_than_there_is() {
        let budget = ByteBudget::new(1_000);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..20_000 {
                        if let Some(mut held) = budget.reserve(300) {
                            held.settle(round % 300);
                            assert!(budget.taken.load(Ordering::Relaxed) <= 1_000);
                        }
                    }
                });
            }
        });
        assert_eq!((budget.taken.load(Ordering::Relaxed), budget.reserved.load(Ordering::Relaxed)), (0, 0));
    }
}
