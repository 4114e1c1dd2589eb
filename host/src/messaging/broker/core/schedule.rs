//! A schedule: a queue ordered by due time, which gets the time from its caller.

use std::collections::BTreeMap;
use std::time::Instant;

/// Items by due time; items due at the same instant leave in the order in which they came.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    items: BTreeMap<(Instant, u64), T>,
    next_sequence: u64,
}

impl<T> Schedule<T> {
    pub(super) fn new() -> Self {
        Self { items: BTreeMap::new(), next_sequence: 0 }
    }

    /// Adds an item that is due at `due`.
    pub(super) fn add(&mut self, due: Instant, item: T) {
        self.items.insert((due, self.next_sequence), item);
        self.next_sequence += 1;
    }

    /// Removes the item that was due first, if it is due by `now`.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<T> {
        let first = self.items.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Removes every item for which `matches` returns true, whenever it is due.
    pub(super) fn take_where(&mut self, matches: impl Fn(&T) -> bool) -> Vec<T> {
        self.items.extract_if(.., |_, item| matches(item)).map(|(_, item)| item).collect()
    }

    /// When the next item is due; none while nothing waits.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.items.first_key_value().map(|((due, _), _)| *due)
    }

    /// How many items wait.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn nothing_leaves_before_its_time() {
        let start = Instant::now();
        let mut schedule = Schedule::new();
        assert_eq!(schedule.next_due(), None);
        schedule.add(start + Duration::from_millis(20), "late");
        schedule.add(start + Duration::from_millis(10), "early");

        assert_eq!(schedule.next_due(), Some(start + Duration::from_millis(10)));
        assert_eq!(schedule.take_due(start + Duration::from_millis(9)), None);
        assert_eq!(schedule.take_due(start + Duration::from_millis(10)), Some("early"));
        assert_eq!(schedule.take_due(start + Duration::from_millis(10)), None);
        assert_eq!((schedule.len(), schedule.take_due(start + Duration::from_secs(1))), (1, Some("late")));
        assert_eq!(schedule.next_due(), None);
    }

    #[test]
    fn what_is_meant_leaves_and_the_rest_stays_in_order() {
        let start = Instant::now();
        let mut schedule = Schedule::new();
        (0..6).for_each(|number| schedule.add(start, number));
        assert_eq!(schedule.take_where(|number| number % 2 == 0), [0, 2, 4]);
        assert_eq!(std::iter::from_fn(|| schedule.take_due(start)).collect::<Vec<_>>(), [1, 3, 5]);
    }

    proptest! {
        #[test]
        fn items_leave_by_due_time_then_by_arrival(delays_ms in proptest::collection::vec(0u64..5, 0..100),
                                                   now_ms in 0u64..6) {
            let start = Instant::now();
            let at = |ms| start + Duration::from_millis(ms);
            let mut schedule = Schedule::new();
            let mut expected: Vec<(u64, usize)> = Vec::new();
            for (arrival, &delay_ms) in delays_ms.iter().enumerate() {
                schedule.add(at(delay_ms), (delay_ms, arrival));
                expected.push((delay_ms, arrival));
            }
            expected.sort_unstable();
            let later = expected.split_off(expected.partition_point(|(delay_ms, _)| *delay_ms <= now_ms));

            let left: Vec<_> = std::iter::from_fn(|| schedule.take_due(at(now_ms))).collect();
            prop_assert_eq!(left, expected);
            prop_assert_eq!(schedule.len(), later.len());
            prop_assert_eq!(schedule.next_due(), later.first().map(|(delay_ms, _)| at(*delay_ms)));
        }
    }
}
