//! Pauses before something is tried again: each is twice as long as the one before, and no two hosts keep the same time.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

/// The longest pause before anything is tried again that failed at NATS, and the shortest.
const PAUSE_MAX: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(100);

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
}
