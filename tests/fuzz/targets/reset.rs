//! Fuzzes the reset: generated modules with one export, called repeatedly in an instance that is reset and in new ones.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wasm_smith::{Config, Module};

/// The number of steps after which a module traps.
const FUEL: u32 = 1_000;
const CALLS_MAX: usize = 16;

static EXPORTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    wat::parse_str(r#"(module (func (export "run") (param i64) (result i64) unreachable))"#).expect("well-formed")
});

fuzz_target!(|bytes: &[u8]| {
    let _ = calls(&mut Unstructured::new(bytes));
});

fn calls(bytes: &mut Unstructured) -> Result<()> {
    let arguments: Vec<u64> =
        (0..bytes.int_in_range(2..=CALLS_MAX)?).map(|_| bytes.arbitrary()).collect::<Result<_>>()?;
    let config = Config {
        exports: Some(EXPORTS.clone()),
        // Features that the host refuses are off.
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        disallow_traps: bytes.arbitrary()?,
        max_imports: 0,
        max_memories: 2,
        max_memory32_bytes: 2 << 20,
        min_globals: 1,
        ..Config::default()
    };
    let mut module = Module::new(config, bytes)?;
    if module.ensure_termination(FUEL).is_ok() {
        tidegate::fuzzing::reset(&module.to_bytes(), &arguments);
    }
    Ok(())
}
