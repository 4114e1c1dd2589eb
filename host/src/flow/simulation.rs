//! What the simulations of the loops share: seeded random worlds, how many steps they take, and the seed of one that
//! failed.

use std::thread;

/// How many steps the worlds of a simulation take together.
const STEPS: &str = "TIDEGATE_SIMULATION_STEPS";
/// The seed of the one world that is to be simulated.
const SEED: &str = "TIDEGATE_SIMULATION_SEED";
/// If [`STEPS`] is not set: about two seconds of an unoptimized test.
const STEPS_BY_DEFAULT: u64 = 60_000;

/// Simulates one world after the other, each under a seed of its own, until they have taken as many steps as they are
/// to. `world` runs one from its beginning to its end, and returns how many steps it took.
///
/// A world fails by a panic: its seed is printed then, with the command that replays it.
pub(crate) fn simulate(mut world: impl FnMut(&mut Random) -> u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (steps_wanted, only) = (number(STEPS).unwrap_or(STEPS_BY_DEFAULT), number(SEED));
    let (mut seed, mut steps) = (only.unwrap_or(1), 0);
    loop {
        let seed_printer = PrintSeedOnPanic(seed);
        steps += world(&mut Random(seed));
        drop(seed_printer);
        if only.is_some() || steps >= steps_wanted {
            break;
        }
        seed += 1;
    }
    println!("{steps} steps, up to seed {seed}");
}

/// Prints the seed when it is dropped by a panic.
struct PrintSeedOnPanic(u64);

impl Drop for PrintSeedOnPanic {
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
