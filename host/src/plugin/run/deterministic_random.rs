//! Randomness and time as a guest sees them: randomness that is a function of seed, digest and which call it is, and,
//! under a seed that the user set, clocks that always tell the same.

use crate::buckets::CallBuckets;
use crate::plugin::call::CallNumber;
use crate::plugin::role::RoleName;
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

/// Which call a store is for, as far as what the guest is told depends on it: its randomness, and what it finds in buckets.
#[derive(Clone)]
pub(crate) struct CallSeed {
    pub(crate) seed: Seed,
    pub(crate) digest: Arc<str>,
    /// What is called; none of the roles for a probe.
    pub(crate) role: Option<RoleName>,
    pub(crate) number: CallNumber,
    /// On which no randomness depends.
    pub(crate) buckets: CallBuckets,
}

/// Whose randomness a call draws.
pub(crate) enum Draws {
    /// That of the call with this number, of its own component under the seed of its host; and how it meets buckets.
    Own(CallNumber, CallBuckets),
    /// That of another call, of whichever component and host it was.
    As(CallSeed),
}

impl From<CallNumber> for Draws {
    fn from(number: CallNumber) -> Self {
        Self::Own(number, CallBuckets::Plain)
    }
}

/// Where all randomness of a host's guests comes from.
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

/// The randomness of one instance, seeded anew for each of its calls.
#[derive(Clone)]
pub(super) struct GuestRandom {
    fixed: bool,
    generator: Arc<Mutex<ChaCha20Rng>>,
    reads: Arc<AtomicU64>,
}

impl GuestRandom {
    pub(super) fn new(call_seed: &CallSeed) -> Self {
        let generator = Arc::new(Mutex::new(generator(call_seed)));
        Self { fixed: call_seed.seed.fixed, generator, reads: Arc::default() }
    }

    /// Begins another call on the same instance.
    pub(super) fn restart(&self, call_seed: &CallSeed) {
        *self.generator.lock().unwrap_or_else(PoisonError::into_inner) = generator(call_seed);
        self.reads.store(0, Ordering::Relaxed);
    }

    /// The clocks, if they are to repeat.
    pub(super) fn clock(&self) -> Option<SeededClock> {
        self.fixed.then(|| SeededClock { reads: Arc::clone(&self.reads) })
    }

    fn with<T>(&self, draw: impl FnOnce(&mut ChaCha20Rng) -> T) -> T {
        draw(&mut self.generator.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// For `wasi:random/insecure-seed`, which is read once per instance.
pub(super) fn insecure_seed(call_seed: &CallSeed) -> u128 {
    let mut bytes = [0; 16];
    stream(call_seed, "insecure-seed").fill_bytes(&mut bytes);
    u128::from_le_bytes(bytes)
}

fn generator(call_seed: &CallSeed) -> ChaCha20Rng {
    stream(call_seed, "random")
}

/// A generator that no other call has, nor this one for another `purpose`. Each part is hashed with its length, so that
/// no two lists of parts give the same bytes.
fn stream(call_seed: &CallSeed, purpose: &str) -> ChaCha20Rng {
    let CallSeed { seed, digest, role, number, buckets: _ } = call_seed;
    let (kind, number) = match number {
        CallNumber::Message(number) => ("message", number),
        CallNumber::Trial(number) => ("trial", number),
        CallNumber::Load(number) => ("load", number),
    };
    let role = role.map_or("", RoleName::as_str);
    let (seed, number) = (seed.value.to_be_bytes(), number.to_be_bytes());
    let mut hash = Sha256::new();
    for part in [&seed, digest.as_bytes(), role.as_bytes(), kind.as_bytes(), &number, purpose.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    ChaCha20Rng::from_seed(hash.finalize().into())
}

impl TryRng for GuestRandom {
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

    fn call_seed(seed: Option<u64>, digest: &str, number: u64) -> CallSeed {
        let number = CallNumber::Message(number);
        CallSeed {
            seed: Seed::new(seed),
            digest: digest.into(),
            role: Some(RoleName("transform")),
            number,
            buckets: CallBuckets::Plain,
        }
    }

    #[test]
    fn no_two_calls_draw_the_same_and_one_that_is_made_again_does() {
        use CallNumber::{Load, Message, Trial};
        let roles =
            [None, Some("transform"), Some("reply-policy"), Some("http-handler")].map(|name| name.map(RoleName));
        let numbers = [0, 1, 2].map(|number| [Message(number), Trial(number), Load(number)]).concat();
        let draws = || {
            let mut drawn = Vec::new();
            for (seed, digest) in [(1, "a"), (2, "a"), (1, "b"), (1, "")] {
                for (role, number) in
                    roles.into_iter().flat_map(|role| numbers.iter().map(move |number| (role, *number)))
                {
                    let call_seed = CallSeed {
                        seed: Seed::new(Some(seed)),
                        digest: digest.into(),
                        role,
                        number,
                        buckets: CallBuckets::Plain,
                    };
                    let mut random = GuestRandom::new(&call_seed);
                    let insecure = insecure_seed(&call_seed).to_le_bytes();
                    drawn.extend([random.next_u64().to_le_bytes().to_vec(), insecure[..8].to_vec()]);
                }
            }
            drawn
        };
        let drawn = draws();
        assert_eq!(draws(), drawn);
        let (count, distinct) = (drawn.len(), std::collections::BTreeSet::from_iter(drawn).len());
        assert_eq!(distinct, count);
        let first = GuestRandom::new(&call_seed(Some(1), "a", 1)).next_u64();
        let mut reused = GuestRandom::new(&call_seed(Some(1), "a", 7));
        reused.next_u64();
        reused.restart(&call_seed(Some(1), "a", 1));
        assert_eq!(reused.next_u64(), first);
    }

    #[test]
    fn seeded_clocks_advance_per_reading() {
        let random = GuestRandom::new(&call_seed(Some(1), "a", 1));
        let clock = random.clock().expect("a clock");
        assert_eq!(HostWallClock::now(&clock), Duration::from_secs(EPOCH));
        assert_eq!(HostMonotonicClock::now(&clock), 1_000_000);
        random.restart(&call_seed(Some(1), "a", 2));
        assert_eq!(HostWallClock::now(&clock), Duration::from_secs(EPOCH));
        assert!(GuestRandom::new(&call_seed(None, "a", 1)).clock().is_none());
    }
}
