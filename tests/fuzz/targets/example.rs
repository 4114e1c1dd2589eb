//! Fuzzes the examples section of a component: any text.
#![no_main]

use tidegate::config::EXAMPLES_MAX;
use tidegate::plugin::Examples;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match Examples::parse(text) {
        Ok(examples) => assert!(examples.count() <= EXAMPLES_MAX),
        Err(reason) => assert!(!reason.is_empty()),
    }
});
