//! Fuzzes lines of the subscriber's log: the frames of a message, each after a byte for its length.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzzing::line(bytes));
