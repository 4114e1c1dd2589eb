//! Fuzzes arguments of the command line: endpoints, and names and paths of plugins.
#![no_main]

use tidegate::config::{Endpoint, check_endpoint, check_name};
use tidegate::messaging::check_peer;
use tidegate::plugin::source_of;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match text.parse::<Endpoint>() {
        Ok(endpoint) => assert_eq!(endpoint.to_string(), text),
        Err(error) => assert!(error.contains(text)),
    }
    match check_peer(text) {
        Ok(()) => assert_eq!(check_endpoint(text), Ok(())),
        Err(error) => assert!(error.contains(text)),
    }
    if check_name(text).is_ok() {
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b'.'));
        let source = source_of(format!("plugins/{text}.wasm").into()).expect("a file of this name is a plugin");
        assert_eq!(source.name, text);
    }
    if let Ok(source) = source_of(text.into()) {
        assert_eq!(check_name(&source.name), Ok(()));
    }
});
