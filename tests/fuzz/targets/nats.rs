//! Fuzzes what comes from NATS: a payload, a subject and headers, each after a byte for its length.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::nats(bytes));
