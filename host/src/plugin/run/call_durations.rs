//! How long the calls of a plugin took: how many there were of each length, from which shares of them are told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// From 1 µs to 10 s.
const DECADES: usize = 7;
/// Each is about a quarter more than the one before: the preferred numbers R10 of ISO 3.
const STEPS: [u64; 10] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800];
const BOUNDS: usize = DECADES * STEPS.len() + 1;
/// In nanoseconds. What is longer than the last of them is counted behind it.
const BOUNDS_NS: [u64; BOUNDS] = bounds();

/// Counts the calls of a plugin by their length. Any thread counts, and any thread reads.
#[derive(Debug)]
pub struct CallDurations {
    counts: [AtomicU64; BOUNDS + 1],
    sum_ns: AtomicU64,
}

/// The calls that were counted, or those of a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurationCounts {
    counts: [u64; BOUNDS + 1],
    sum_ns: u64,
}

const fn bounds() -> [u64; BOUNDS] {
    let mut bounds = [0; BOUNDS];
    let (mut at, mut unit) = (0, 10);
    while at < BOUNDS {
        bounds[at] = STEPS[at % STEPS.len()] * unit;
        at += 1;
        if at % STEPS.len() == 0 {
            unit *= 10;
        }
    }
    bounds
}

impl Default for CallDurations {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BOUNDS + 1], sum_ns: AtomicU64::new(0) }
    }
}

impl CallDurations {
    /// Counts one call.
    pub(crate) fn observe(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[BOUNDS_NS.partition_point(|bound| *bound < ns)].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// What was counted so far. Calls that end meanwhile may be in the counts and not in the sum.
    pub fn read(&self) -> DurationCounts {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        DurationCounts { counts, sum_ns: self.sum_ns.load(Ordering::Relaxed) }
    }
}

impl Default for DurationCounts {
    fn default() -> Self {
        Self { counts: [0; BOUNDS + 1], sum_ns: 0 }
    }
}

impl DurationCounts {
    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all of them took together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_ns)
    }

    /// How many took no longer than this, which is one of the bounds.
    pub fn up_to(&self, bound: Duration) -> u64 {
        let at = BOUNDS_NS.partition_point(|known| u128::from(*known) <= bound.as_nanos());
        self.counts[..at].iter().sum()
    }

    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        let counts = std::array::from_fn(|at| self.counts[at].saturating_add(other.counts[at]));
        Self { counts, sum_ns: self.sum_ns.saturating_add(other.sum_ns) }
    }

    /// Those that ended since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = std::array::from_fn(|at| self.counts[at].saturating_sub(earlier.counts[at]));
        Self { counts, sum_ns: self.sum_ns.saturating_sub(earlier.sum_ns) }
    }

    /// The length that so many of a hundred calls did not go over, to an eighth of it; none without calls. What took longer than
    /// 10 s is told as that.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let calls = self.calls();
        // The last one of them, counted from 1.
        let wanted = u128::from(calls) * u128::from(percent.min(100));
        let mut before = 0_u64;
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            if u128::from(before + count) * 100 >= wanted {
                let upper = BOUNDS_NS[at.min(BOUNDS - 1)];
                let lower = if at == 0 { 0 } else { BOUNDS_NS[at - 1].min(upper) };
                // As if those between two bounds were spread evenly.
                let inside = (wanted as f64 / 100.0 - before as f64) / *count as f64;
                let ns = lower as f64 + (upper - lower) as f64 * inside.clamp(0.0, 1.0);
                return Some(Duration::from_nanos(ns as u64));
            }
            before += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(microseconds: impl IntoIterator<Item = u64>) -> DurationCounts {
        let durations = CallDurations::default();
        microseconds.into_iter().for_each(|us| durations.observe(Duration::from_micros(us)));
        durations.read()
    }

    #[test]
    fn bounds_grow_by_about_a_quarter_from_a_microsecond_to_ten_seconds() {
        assert_eq!((BOUNDS_NS[0], BOUNDS_NS[BOUNDS - 1]), (1_000, 10_000_000_000));
        for pair in BOUNDS_NS.windows(2) {
            let growth = pair[1] as f64 / pair[0] as f64;
            assert!((1.24..=1.29).contains(&growth), "{pair:?}");
        }
    }

    #[test]
    fn a_percentile_is_near_the_real_one() {
        let of_one = counted(1..=10_000);
        for (percent, expected) in [(50, 5_000.0), (90, 9_000.0), (99, 9_900.0), (100, 10_000.0)] {
            let told = of_one.percentile(percent).unwrap().as_micros() as f64;
            assert!((told / expected - 1.0).abs() < 0.02, "{percent}: {told}");
        }
        // One slow call of a hundred does not move the middle.
        let with_one = counted((0..99).map(|_| 30).chain([2_000_000]));
        assert!((25..=32).contains(&with_one.percentile(50).unwrap().as_micros()));
        assert!(with_one.percentile(100).unwrap() >= Duration::from_millis(1_600));
        assert_eq!(counted([]).percentile(50), None);
        assert_eq!(counted([60_000_000]).percentile(50), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_window_has_the_calls_that_ended_in_it_alone() {
        let durations = CallDurations::default();
        durations.observe(Duration::from_secs(1));
        let before = durations.read();
        durations.observe(Duration::from_micros(20));
        let window = durations.read().since(&before);
        assert_eq!((window.calls(), window.sum()), (1, Duration::from_micros(20)));
        assert!(window.percentile(99).unwrap() <= Duration::from_micros(20));
    }

    #[test]
    fn a_bound_belongs_to_what_it_bounds() {
        let counts = counted([10, 11, 25]);
        let up_to = |us| counts.up_to(Duration::from_micros(us));
        assert_eq!((up_to(8), up_to(10), up_to(25), up_to(10_000_000)), (0, 1, 3, 3));
    }
}
