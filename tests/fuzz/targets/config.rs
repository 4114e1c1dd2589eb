//! Fuzzes the configuration file: any text.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| tidegate::fuzzing::config(text));
