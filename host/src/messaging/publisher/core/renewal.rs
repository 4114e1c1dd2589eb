//! When libzmq may take more changes from subscribers: so rarely that messages get most of the thread's time.

use std::time::{Duration, Instant};

/// The least time between two renewals.
const PAUSE: Duration = Duration::from_millis(2);
/// The most time between two renewals. A thread that was suspended while it received changes has not spent all that
/// time on them.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The time between two renewals if no changes were received. They go on, so that changes of peers that are being cut
/// off are discarded.
const IDLE: Duration = Duration::from_secs(1);
/// Changes of subscriptions get one part in so many of the thread's time.
const SHARE: u32 = 4;

/// The time that was spent on changes of subscriptions since the last renewal.
#[derive(Debug)]
pub(super) struct Renewal {
    since: Instant,
    spent: Duration,
    /// Changes were received, so that more may wait.
    wanted: bool,
}

impl Renewal {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, spent: Duration::ZERO, wanted: false }
    }

    /// Counts the time that was spent on changes.
    pub(super) fn spend(&mut self, time: Duration) {
        self.wanted = true;
        self.spent += time;
    }

    /// A renewal was done, which took so much time by itself.
    pub(super) fn renewed(&mut self, now: Instant, time: Duration) {
        *self = Self { since: now, spent: time, wanted: false };
    }

    /// When the next renewal is due.
    pub(super) fn due(&self) -> Instant {
        self.since + if self.wanted { self.spent.saturating_mul(SHARE).clamp(PAUSE, PAUSE_MAX) } else { IDLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_taken_when_the_rest_had_its_share() {
        let (start, ms) = (Instant::now(), Duration::from_millis(1));
        let mut renewal = Renewal::new(start);
        assert_eq!(renewal.due(), start + IDLE);
        renewal.spend(ms / 10);
        assert_eq!(renewal.due(), start + PAUSE);
        renewal.spend(ms * 10);
        assert_eq!(renewal.due(), start + (ms * 10 + ms / 10) * SHARE);
        renewal.renewed(start + ms, ms * 2);
        assert_eq!(renewal.due(), start + ms + IDLE);
        renewal.spend(ms);
        assert_eq!(renewal.due(), start + ms + ms * 3 * SHARE);
        renewal.spend(Duration::from_secs(3_600));
        assert_eq!(renewal.due(), start + ms + PAUSE_MAX);
    }
}
