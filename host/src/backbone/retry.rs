//! Pauses before something is tried again: each is twice as long as the one before, and no two hosts keep the same time.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest pause before anything is tried again that failed at NATS, and the shortest.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// What lasts so long after a pause was no failure.
const LASTS_MIN: Duration = Duration::from_secs(10);

/// Completes at this time; never without one.
pub(super) async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// The pause after so many failures in a row, of which between a half and all is waited.
pub(super) fn pause(failures: u32) -> Duration {
    jittered(doubled(PAUSE_MIN, PAUSE_MAX, failures))
}

/// The pauses before each attempt to connect. They grow also where a server takes the host and sends it away at once.
#[derive(Default)]
pub(super) struct Pauses(Mutex<Attempts>);

#[derive(Default)]
struct Attempts {
    /// In a row, none of which lasted.
    count: u32,
    /// An attempt before this time is one more of them.
    until: Option<Instant>,
}

impl Pauses {
    /// The pause before one more attempt.
    pub(super) fn next(&self, now: Instant) -> Duration {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_soon = attempts.until.is_some_and(|until| now < until);
        attempts.count = if is_soon { attempts.count.saturating_add(1) } else { 1 };
        let pause = pause(attempts.count);
        attempts.until = Some(now + pause + LASTS_MIN);
        pause
    }
}

/// `first`, doubled so many times less one, up to `longest`.
pub(super) fn doubled(first: Duration, longest: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.saturating_sub(1).min(20)).min(longest)
}

/// Between a half and all of a time.
fn jittered(time: Duration) -> Duration {
    // The standard library seeds its hash maps from the system's randomness.
    let random = RandomState::new().build_hasher().finish() as u32;
    time / 2 + (time / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_differ() {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(60));
        let pauses = [0, 1, 2, 3, 7, 100, u32::MAX].map(|times| doubled(first, longest, times).as_secs());
        assert_eq!(pauses, [1, 1, 2, 4, 60, 60, 60]);
        let all: Vec<_> = (0..50).map(|_| pause(u32::MAX)).collect();
        assert!(all.iter().all(|pause| (PAUSE_MAX / 2..=PAUSE_MAX).contains(pause)), "{all:?}");
        assert!(all.iter().any(|pause| *pause != all[0]));
    }

    #[test]
    fn attempts_that_come_soon_have_growing_pauses_and_others_do_not() {
        let (pauses, mut now) = (Pauses::default(), Instant::now());
        for _ in 0..10 {
            // As long as an attempt that nobody answers may take.
            now += pauses.next(now) + Duration::from_secs(5);
        }
        let grown = pauses.next(now);
        assert!(grown >= PAUSE_MAX / 2, "{grown:?}");
        now += grown + LASTS_MIN;
        assert!(pauses.next(now) <= PAUSE_MIN);
    }
}
