//! Fuzzes multipart messages of clients, and between broker loop and workers: frames, each after a byte for its length.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::frames(bytes));
