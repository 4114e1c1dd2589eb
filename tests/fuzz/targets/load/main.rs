//! Fuzzes every stage of a load, and one call of each role of the component: any bytes, or the text form.
#![no_main]

mod mutation;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use std::sync::LazyLock;
use tidegate::fuzzing::Loader;

static LOADER: LazyLock<Loader> = LazyLock::new(Loader::default);

fuzz_target!(|bytes: &[u8]| LOADER.load(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, size_max: usize, seed: u32| {
    match mutation::mutated(&data[..size], size_max, seed) {
        Some(mutated) if mutated.len() <= size_max => {
            data[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        _ => fuzzer_mutate(data, size, size_max),
    }
});
