//! When more is taken from subscribers: not before the messages had most of the time since it was done last.

use std::time::{Duration, Instant};

/// How long it is not done again at least.
const PAUSE: Duration = Duration::from_millis(2);
/// The same at most. A thread that was stopped in the midst of it has not spent that time on subscribers.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long it is not done where nothing was taken: who is not listened to any more has to be got rid of.
const IDLE: Duration = Duration::from_secs(1);
/// Of the thread's time, subscribers get one part in so many.
const SHARE: u32 = 4;

/// The time that was spent on what subscribers want.
#[derive(Debug)]
pub(super) struct Renewal {
    since: Instant,
    spent: Duration,
    /// Something was taken, so that more may wait.
    wanted: bool,
}

impl Renewal {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, spent: Duration::ZERO, wanted: false }
    }

    /// What was taken has cost so much.
    pub(super) fn spend(&mut self, time: Duration) {
        self.wanted = true;
        self.spent += time;
    }

    /// More was taken from now on, which has cost so much by itself.
    pub(super) fn renewed(&mut self, now: Instant, time: Duration) {
        *self = Self { since: now, spent: time, wanted: false };
    }

    /// When more is to be taken.
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
