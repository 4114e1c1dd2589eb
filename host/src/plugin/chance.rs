//! Chance and time as a guest sees them: randomness that is a function of seed, digest and the message's number, and,
//! under a seed that the user set, clocks that always tell the same.

use super::guest::Occasion;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Infallible, Rng, SeedableRng, TryRng};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Where seeded clocks begin: 2000-01-01T00:00:00Z, in seconds.
const EPOCH: u64 = 946_684_800;
/// What each reading of a seeded clock adds to it.
const STEP: Duration = Duration::from_millis(1);

/// Where all chance of a host comes from.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// The seed.
    pub value: u64,
    /// The user set it, and wants clocks that repeat as well.
    pub fixed: bool,
}

impl Seed {
    /// The seed that the user set, or one that nobody can guess.
    pub fn new(set: Option<u64>) -> Self {
        use std::hash::{BuildHasher, Hasher, RandomState};
        // The standard library seeds its hash maps from the system's randomness.
        Self { value: set.unwrap_or_else(|| RandomState::new().build_hasher().finish()), fixed: set.is_some() }
    }
}

/// The chance of one instance, set anew for each of its calls.
#[derive(Clone)]
pub(super) struct Chance {
    fixed: bool,
    generator: Arc<Mutex<ChaCha20Rng>>,
    reads: Arc<AtomicU64>,
}

impl Chance {
    pub(super) fn new(occasion: &Occasion) -> Self {
        let generator = Arc::new(Mutex::new(generator(occasion)));
        Self { fixed: occasion.seed.fixed, generator, reads: Arc::default() }
    }

    /// Begins another call on the same instance.
    pub(super) fn restart(&self, occasion: &Occasion) {
        *self.generator.lock().unwrap_or_else(PoisonError::into_inner) = generator(occasion);
        self.reads.store(0, Ordering::Relaxed);
    }

    /// For `wasi:random/insecure-seed`, which is read once per instance.
    pub(super) fn insecure_seed(&self) -> u128 {
        let mut bytes = [0; 16];
        self.clone().fill_bytes(&mut bytes);
        u128::from_le_bytes(bytes)
    }

    /// The clocks, if they are to repeat.
    pub(super) fn clock(&self) -> Option<SeededClock> {
        self.fixed.then(|| SeededClock { reads: Arc::clone(&self.reads) })
    }

    fn with<T>(&self, draw: impl FnOnce(&mut ChaCha20Rng) -> T) -> T {
        draw(&mut self.generator.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn generator(occasion: &Occasion) -> ChaCha20Rng {
    let mut hash = Sha256::new();
    hash.update(occasion.seed.value.to_be_bytes());
    hash.update(occasion.digest.as_bytes());
    hash.update(occasion.number.to_be_bytes());
    ChaCha20Rng::from_seed(hash.finalize().into())
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.with(|generator| generator.next_u32()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.with(|generator| generator.next_u64()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.with(|generator| generator.fill_bytes(bytes));
        Ok(())
    }
}

/// A clock that starts at the same time in every call and advances when it is read.
#[derive(Clone)]
pub(super) struct SeededClock {
    reads: Arc<AtomicU64>,
}

impl SeededClock {
    fn elapsed(&self) -> Duration {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        STEP.saturating_mul(u32::try_from(reads).unwrap_or(u32::MAX))
    }
}

impl HostWallClock for SeededClock {
    fn resolution(&self) -> Duration {
        STEP
    }

    fn now(&self) -> Duration {
        Duration::from_secs(EPOCH) + self.elapsed()
    }
}

impl HostMonotonicClock for SeededClock {
    fn resolution(&self) -> u64 {
        STEP.as_nanos() as u64
    }

    fn now(&self) -> u64 {
        self.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occasion(seed: Option<u64>, digest: &str, number: u64) -> Occasion {
        Occasion { seed: Seed::new(seed), digest: digest.into(), number }
    }

    #[test]
    fn chance_is_a_function_of_seed_digest_and_number() {
        let draw = |seed, digest, number| Chance::new(&occasion(Some(seed), digest, number)).next_u64();
        let first = draw(1, "a", 1);
        assert_eq!(draw(1, "a", 1), first);
        for other in [draw(2, "a", 1), draw(1, "b", 1), draw(1, "a", 2)] {
            assert_ne!(other, first);
        }
        let mut reused = Chance::new(&occasion(Some(1), "a", 7));
        reused.next_u64();
        reused.restart(&occasion(Some(1), "a", 1));
        assert_eq!(reused.next_u64(), first);
    }

    #[test]
    fn seeded_clocks_advance_per_reading() {
        let chance = Chance::new(&occasion(Some(1), "a", 1));
        let clock = chance.clock().expect("a clock");
        assert_eq!(HostWallClock::now(&clock), Duration::from_secs(EPOCH));
        assert_eq!(HostMonotonicClock::now(&clock), 1_000_000);
        chance.restart(&occasion(Some(1), "a", 2));
        assert_eq!(HostWallClock::now(&clock), Duration::from_secs(EPOCH));
        assert!(Chance::new(&occasion(None, "a", 1)).clock().is_none());
    }
}
