//! Components with too much of something: functions, sections, instances, types or levels of nesting.

use super::{HEADER, NONE, plain, text};
use crate::fixtures::filtering;
use std::fmt::Write;
use wasm_encoder::{
    ComponentExportKind, ComponentExportSection, ComponentInstanceSection, ComponentSection, ComponentSectionId,
    CustomSection, RawSection,
};

/// A field, repeated `count` times, each time with its number in place of `#`.
pub fn many(count: usize, field: &str) -> String {
    (0..count).map(|number| field.replace('#', &number.to_string())).collect()
}

/// Has a function of `depth` nested blocks.
pub fn nesting_blocks(depth: usize) -> Vec<u8> {
    let deep = format!("(func $deep {} {})", "block ".repeat(depth), "end ".repeat(depth));
    plain(&deep, NONE)
}

/// Has one function of many instructions, each of which depends on the one before it.
pub fn computing_at_length(instructions: usize) -> Vec<u8> {
    let chain = "i32.const 8 i32.load i32.xor ".repeat(instructions / 3);
    plain(&format!("(func $long (param i32) (result i32) local.get 0 {chain})"), NONE)
}

/// Has a `br_table` with many targets.
pub fn branching(targets: usize) -> Vec<u8> {
    let table = format!("(func $far (param i32) (block (br_table {} 0 (local.get 0))))", "0 ".repeat(targets));
    plain(&table, NONE)
}

/// Filters every message, and has one more section.
pub fn with_section(section: &impl ComponentSection) -> Vec<u8> {
    let mut bytes = filtering();
    section.append_to_component(&mut bytes);
    bytes
}

/// Filters every message, and has `count` custom sections of one name.
pub fn with_custom_sections(count: usize, name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = filtering();
    for _ in 0..count {
        CustomSection { name: name.into(), data: data.into() }.append_to_component(&mut bytes);
    }
    bytes
}

/// Filters every message, and has `count` more exports.
pub fn with_exports(count: usize) -> Vec<u8> {
    let mut exports = ComponentExportSection::new();
    for number in 0..count {
        exports.export(format!("export-{number}").as_str(), ComponentExportKind::Instance, 0, None);
    }
    with_section(&exports)
}

/// The component `bytes` with another component nested in it, which is instantiated together with it.
pub fn holding(mut bytes: Vec<u8>, nested: &str) -> Vec<u8> {
    let nested = wat::parse_str(nested).unwrap();
    RawSection { id: ComponentSectionId::Component.into(), data: &nested }.append_to_component(&mut bytes);
    // Component 0 is the encoder's own: it gives the role its types.
    ComponentInstanceSection::new().instantiate::<_, &str>(1, []).append_to_component(&mut bytes);
    bytes
}

/// The text of a component with `count` core instances of a module with these fields.
pub fn instances(count: usize, fields: &str) -> String {
    format!("(component (core module $m {fields}) {})", "(core instance (instantiate $m))".repeat(count))
}

/// The text of a component that instantiates two components, each of which instantiates two, and so on: 2 to the power
/// of `depth` core instances.
pub fn doubling(depth: usize) -> String {
    let mut text = "(component (component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for level in 1..=depth {
        let half = level - 1;
        write!(text, "(component $c{level} (instance (instantiate $c{half})) (instance (instantiate $c{half})))")
            .unwrap();
    }
    write!(text, "(instance (instantiate $c{depth})))").unwrap();
    text
}

/// A component with a type whose values double in size `depth` times.
pub fn doubling_type(depth: usize) -> Vec<u8> {
    let mut text = "(component (type $t0 (tuple u64 u64))".to_owned();
    for level in 1..=depth {
        write!(text, "(type $t{level} (tuple $t{0} $t{0}))", level - 1).unwrap();
    }
    wat::parse_str(text + ")").unwrap()
}

/// Filters every message, and has components nested `depth` deep.
pub fn nested_components(depth: usize) -> Vec<u8> {
    let mut inner = HEADER.to_vec();
    for _ in 0..depth {
        let mut outer = HEADER.to_vec();
        RawSection { id: ComponentSectionId::Component.into(), data: &inner }.append_to_component(&mut outer);
        inner = outer;
    }
    with_section(&RawSection { id: ComponentSectionId::Component.into(), data: &inner })
}

/// Filters every message, and has `count` empty components beside each other.
pub fn components_in_a_row(count: usize) -> Vec<u8> {
    let mut bytes = filtering();
    for _ in 0..count {
        RawSection { id: ComponentSectionId::Component.into(), data: HEADER }.append_to_component(&mut bytes);
    }
    bytes
}

/// Imports `count` interfaces that nobody offers.
pub fn importing(count: usize) -> Vec<u8> {
    let imports = many(count, r#"(import "evil:host/files#" (instance (export "all" (func))))"#);
    text(&format!(r#"(component {imports} (instance (export "tidegate:plugin/transform@0.1.0")))"#))
}
