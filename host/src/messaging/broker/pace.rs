//! How long a policy's calls are, and so whether another thread is worth its wake-up.

use std::time::Duration;

/// A call that is expected to be no longer is made on the thread of the broker loop. Waking a worker, and being woken by
/// it, takes some 20 µs of a client's time.
const SHORT_MAX: Duration = Duration::from_micros(100);

/// So much work that waits is worth the wake-up of one worker.
const WORK_PER_WORKER: Duration = Duration::from_micros(50);

/// A policy of which nothing is known is not taken for a short one until some of its calls were.
const UNKNOWN: Duration = Duration::from_micros(200);

/// No call counts for more: however long one was, some dozen short ones make up for it.
const LONG: Duration = Duration::from_millis(5);

/// The share of the last call in what is expected of the next, one in so many. With this one call of a whole tick of the
/// engine, after which every guest yields, makes the next twenty or so go to the workers.
const WEIGHT: u32 = 16;

/// What is expected of the next call.
pub(super) struct Pace {
    expected: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { expected: UNKNOWN }
    }

    /// Takes note of a call that kept its thread for so long.
    pub(super) fn note(&mut self, took: Duration) {
        self.expected = (self.expected * (WEIGHT - 1) + took.min(LONG)) / WEIGHT;
    }

    /// Whether a call is so short that it is made where its request came in.
    pub(super) fn is_short(&self) -> bool {
        self.expected <= SHORT_MAX
    }

    /// How many workers so many waiting requests are worth.
    pub(super) fn workers_for(&self, requests: usize) -> usize {
        if !self.is_short() {
            return requests;
        }
        let work = self.expected * u32::try_from(requests).unwrap_or(u32::MAX);
        usize::try_from(work.as_nanos() / WORK_PER_WORKER.as_nanos()).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn a_policy_is_short_once_its_calls_were_and_until_one_is_long() {
        let mut pace = Pace::new();
        assert!(!pace.is_short());
        let calls_until_short = |pace: &mut Pace| {
            let note = |_: &u32| {
                pace.note(3 * US);
                !pace.is_short()
            };
            (0..1000).take_while(note).count()
        };
        assert_eq!(calls_until_short(&mut pace), 10);
        for _ in 0..1000 {
            pace.note(3 * US);
        }
        pace.note(5000 * US);
        assert!(!pace.is_short());
        assert_eq!(calls_until_short(&mut pace), 18);
    }

    #[test]
    fn workers_are_woken_for_what_is_worth_it() {
        let mut pace = Pace::new();
        assert_eq!(pace.workers_for(3), 3);
        for _ in 0..1000 {
            pace.note(5 * US);
        }
        assert_eq!((pace.workers_for(1), pace.workers_for(9), pace.workers_for(100)), (0, 0, 10));
    }
}
