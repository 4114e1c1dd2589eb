//! What the simulations of the loops share: worlds under a seed, how many steps they take, and which of them failed.

use std::thread;

/// How many steps the worlds of a simulation take together.
const STEPS: &str = "TIDEGATE_SIMULATION_STEPS";
/// The seed of the one world that is to be simulated.
const SEED: &str = "TIDEGATE_SIMULATION_SEED";
/// If [`STEPS`] is not set: what a test takes some two seconds for, unoptimized.
const STEPS_BY_DEFAULT: u64 = 60_000;

/// Simulates one world after the other, each under a seed of its own, until they have taken as many steps as they are to.
/// `world` lives one from its beginning to its end, and returns its steps.
///
/// A world that panics is one that fails: its seed is printed, with how to replay it.
pub(crate) fn simulate(mut world: impl FnMut(&mut Random) -> u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (steps_wanted, only) = (number(STEPS).unwrap_or(STEPS_BY_DEFAULT), number(SEED));
    let (mut seed, mut steps) = (only.unwrap_or(1), 0);
    loop {
        let world_of_seed = ToldIfItFails(seed);
        steps += world(&mut Random(seed));
        drop(world_of_seed);
        if only.is_some() || steps >= steps_wanted {
            break;
        }
        seed += 1;
    }
    println!("{steps} steps, up to seed {seed}");
}

struct ToldIfItFails(u64);

impl Drop for ToldIfItFails {
    fn drop(&mut self) {
        if thread::panicking() {
            let (seed, thread) = (self.0, thread::current());
            let test = thread.name().unwrap_or_default();
            println!("seed {seed} failed; to replay it: {SEED}={seed} cargo test -p host --lib {test} -- --nocapture");
        }
    }
}

/// Numbers that depend on the seed alone (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub(crate) fn one_of<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.below(several.len() as u64) as usize]
    }
}

#[test]
fn what_happens_depends_on_the_seed_alone() {
    let numbers = |seed| {
        let mut random = Random(seed);
        [(); 100].map(|()| (random.below(1_000), random.one_in(3), random.one_of(&['a', 'b'])))
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    let mut seeds = 0;
    simulate(|random| {
        seeds += 1;
        1 + random.below(10_000)
    });
    assert!(seeds > 1 || std::env::var(SEED).is_ok() || std::env::var(STEPS).is_ok());
}
