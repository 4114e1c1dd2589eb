//! Fuzzes what workers answer: any bytes as a frame with a tnetstring, and as frames, each after a byte for its length.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::answer(bytes));
