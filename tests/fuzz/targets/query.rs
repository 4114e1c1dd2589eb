//! Fuzzes the query of a request: any text.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| tidegate::fuzzing::query(text));
