//! Fuzzes the custom sections of a component or a module: any bytes.
#![no_main]

use tidegate::cli::plugin::embedded_digest;
use tidegate::plugin::{EXAMPLES_SECTION, custom_section, custom_sections};
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::Parser;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let within = bytes.as_ptr_range();
    let mut last = None;
    for (name, data) in custom_sections(bytes) {
        let data_at = data.as_ptr_range();
        assert!(data.is_empty() || (within.start <= data_at.start && data_at.end <= within.end));
        assert!(name.len() + data.len() <= bytes.len());
        if name == EXAMPLES_SECTION {
            last = Some(data);
        }
    }
    assert_eq!(custom_section(bytes, EXAMPLES_SECTION), last);

    // The digest that `plugin build` appends to a valid component can be read again.
    if is_sound(bytes) {
        let mut longer = bytes.to_vec();
        let section = CustomSection { name: "tidegate:sources".into(), data: b"digest".into() };
        section.append_to_component(&mut longer);
        assert_eq!(embedded_digest(&longer).as_deref(), Some("digest"));
    }
});

/// Whether the bytes are a valid component or module. The validator alone accepts a file that ends within a nested one.
fn is_sound(bytes: &[u8]) -> bool {
    use wasmparser::Payload::{ComponentSection, ModuleSection};
    let nested_end_within = Parser::new(0).parse_all(bytes).all(|payload| match payload {
        Ok(ModuleSection { unchecked_range, .. } | ComponentSection { unchecked_range, .. }) => {
            unchecked_range.end <= bytes.len()
        }
        payload => payload.is_ok(),
    });
    nested_end_within && wasmparser::validate(bytes).is_ok()
}
