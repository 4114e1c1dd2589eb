//! A bound on bytes that is reserved from before the work and settled after it, so that nothing is made without room for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes, of which every [`Held`] has its part.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    bytes_max: usize,
    /// By all parts together.
    taken: AtomicUsize,
    /// Parts that are not settled.
    reserved: AtomicUsize,
}

/// A part of a budget, which goes back to it when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<ByteBudget>,
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

    /// Reserves so many bytes; none where there is no room for them. Where several try at the same moment, all may fail.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        let alone = self.reserved.fetch_add(1, Ordering::Relaxed) == 0;
        let more = |taken: usize| self.admits(taken, bytes, alone).then(|| taken.saturating_add(bytes));
        if self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            self.reserved.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Held { budget: Arc::clone(self), bytes, is_settled: false })
    }

    /// Whoever is alone is let in as long as anything is left: what may become larger than that could never be done else.
    fn admits(&self, taken: usize, bytes: usize, alone: bool) -> bool {
        taken.saturating_add(bytes) <= self.bytes_max || alone && taken < self.bytes_max
    }
}

impl Held {
    /// The work is done, and so many bytes are left of it.
    pub(crate) fn settle(&mut self, bytes: usize) {
        let taken = &self.budget.taken;
        match bytes.checked_sub(self.bytes) {
            Some(more) => taken.fetch_add(more, Ordering::Relaxed),
            None => taken.fetch_sub(self.bytes - bytes, Ordering::Relaxed),
        };
        self.bytes = bytes;
        if !std::mem::replace(&mut self.is_settled, true) {
            self.budget.reserved.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many it has.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes so many bytes of a part that is settled, or as many as it has, a part of their own.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: Arc::clone(&self.budget), bytes, is_settled: true }
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
