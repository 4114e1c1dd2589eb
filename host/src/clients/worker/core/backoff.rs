//! Growing pauses between attempts.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(32);
/// By so much of itself a pause is longer or shorter, so that workers that were cut off together do not come back together.
const JITTER: f64 = 0.25;

/// The pauses: from a second, doubling to half a minute.
pub(super) struct Backoff {
    next: Duration,
    random: ChaCha20Rng,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { next: FIRST, random: ChaCha20Rng::seed_from_u64(seed) }
    }

    /// The next pause.
    pub(super) fn pause(&mut self) -> Duration {
        let fraction = f64::from(self.random.next_u32()) / f64::from(u32::MAX);
        let pause = self.next.mul_f64(1.0 - JITTER + 2.0 * JITTER * fraction);
        self.next = LONGEST.min(self.next * 2);
        pause
    }

    /// An attempt has succeeded.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(1);
        let is_about = |pause: Duration, seconds: u64| {
            let whole = Duration::from_secs(seconds);
            pause >= whole.mul_f64(0.75) && pause <= whole.mul_f64(1.25)
        };
        for seconds in [1, 2, 4, 8, 16, 32, 32, 32] {
            let pause = backoff.pause();
            assert!(is_about(pause, seconds), "{pause:?} is not about {seconds} s");
        }
        backoff.reset();
        assert!(is_about(backoff.pause(), 1));
        let first = |seed| Backoff::new(seed).pause();
        assert!(first(1) == first(1) && first(1) != first(2));
    }
}
