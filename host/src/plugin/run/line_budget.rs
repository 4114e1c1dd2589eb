//! A budget for lines of the log: so many a second, and the others counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Written,
    /// After so many that were not.
    WrittenAfter(u64),
    /// The first since one was written.
    DroppedFirst,
    Dropped,
}

/// Lets so many lines through per second, with as many at once, and counts the others.
#[derive(Debug)]
pub(crate) struct LineBudget {
    per_second: u32,
    left: Mutex<(f64, Instant)>,
    dropped: AtomicU64,
    /// Of those dropped, the ones that no line has told of yet.
    untold: AtomicU64,
}

impl LineBudget {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            left: Mutex::new((f64::from(per_second), Instant::now())),
            dropped: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        }
    }

    /// Whether one more line may be written.
    pub(crate) fn admit(&self) -> Admission {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, since) = &mut *left;
        let now = Instant::now();
        let most = f64::from(self.per_second);
        *lines = (*lines + now.duration_since(*since).as_secs_f64() * most).min(most);
        *since = now;
        if *lines < 1.0 {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return if self.untold.fetch_add(1, Ordering::Relaxed) == 0 {
                Admission::DroppedFirst
            } else {
                Admission::Dropped
            };
        }
        *lines -= 1.0;
        match self.untold.swap(0, Ordering::Relaxed) {
            0 => Admission::Written,
            lost => Admission::WrittenAfter(lost),
        }
    }

    /// All that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_over_the_budget_are_counted_and_told_of_later() {
        let budget = LineBudget::new(2);
        assert_eq!((budget.admit(), budget.admit()), (Admission::Written, Admission::Written));
        assert_eq!((budget.admit(), budget.admit()), (Admission::DroppedFirst, Admission::Dropped));
        budget.left.lock().unwrap().0 = 1.0;
        assert_eq!(budget.admit(), Admission::WrittenAfter(2));
        assert_eq!(budget.dropped(), 2);
    }
}
