//! Fuzzes what a peer sends by ZWS: any messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|messages: Vec<Vec<u8>>| tidegate::fuzzing::zws(messages));
