//! An estimate of how long the next call of a stage takes, which decides whether it is worth waking another thread.

use std::time::Duration;

/// A call that is expected to be no longer runs where its message came in. Waking another thread, and being
/// woken by it, takes some 20 µs of a sender's time.
const SHORT_MAX: Duration = Duration::from_micros(100);

/// The estimate before the first call: the calls of a stage count as short only after some of them were.
const UNKNOWN: Duration = Duration::from_micros(200);

/// No call counts as longer than this, so that after a long one some dozens of short ones suffice to count as short
/// again.
const LONG: Duration = Duration::from_millis(5);

/// The last call contributes one part in so many to the estimate. With this value, one call of a whole tick of the
/// engine, after which every guest yields, makes the next twenty or so run in the runtime.
const WEIGHT: u32 = 16;

/// An exponentially weighted average of how long the last calls took.
pub(crate) struct CallTimeEstimate(Duration);

impl CallTimeEstimate {
    pub(crate) fn new() -> Self {
        Self(UNKNOWN)
    }

    /// Takes note of a call that took so long.
    pub(crate) fn note(&mut self, took: Duration) {
        self.0 = (self.0 * (WEIGHT - 1) + took.min(LONG)) / WEIGHT;
    }

    /// Whether the next call is so short that it is to run where its message came in.
    pub(crate) fn is_short(&self) -> bool {
        self.0 <= SHORT_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);

    #[test]
    fn a_policy_is_short_once_its_calls_were_and_until_one_is_long() {
        let mut estimate = CallTimeEstimate::new();
        assert!(!estimate.is_short());
        let calls_until_short = |estimate: &mut CallTimeEstimate| {
            let note = |_: &u32| {
                estimate.note(3 * US);
                !estimate.is_short()
            };
            (0..1000).take_while(note).count()
        };
        assert_eq!(calls_until_short(&mut estimate), 10);
        for _ in 0..1000 {
            estimate.note(3 * US);
        }
        estimate.note(5000 * US);
        assert!(!estimate.is_short());
        assert_eq!(calls_until_short(&mut estimate), 18);
    }
}
