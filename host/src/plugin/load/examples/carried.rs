//! The examples that a component carries, with others beside them.

use super::{Examples, SECTION};
use crate::plugin::load::file::custom_section;
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::BinaryReader;

/// What every component begins with: the magic bytes and the version.
const PREAMBLE_BYTES: usize = 8;
/// The kind of custom sections.
const CUSTOM: u8 = 0;

/// A component that carries the examples of this text behind those that it has. Also returns how many there are then.
///
/// # Errors
/// When the text, or what the component carries, is no list of examples, they are too many, or the component carries one of
/// such a name.
pub(in crate::plugin) fn with_examples(component: &[u8], text: &str) -> Result<(Vec<u8>, usize), String> {
    let more = Examples::parse(text)?;
    if more.count() == 0 {
        return Err("there is no example to add".to_owned());
    }
    let carried = custom_section(component, SECTION).map(std::str::from_utf8).transpose();
    let carried = carried.map_err(|error| format!("the component's examples cannot be read: {error}"))?;
    let before = carried.map(Examples::parse).transpose()?.unwrap_or_default();
    if let Some(name) = more.names().find(|name| before.names().any(|known| known == *name)) {
        return Err(format!("the component carries an example of the name {name:?} already: choose another one"));
    }
    let all = match carried {
        Some(carried) => format!("{}\n\n{text}", carried.trim_end()),
        None => text.to_owned(),
    };
    let count = Examples::parse(&all)?.count();
    let mut component = without_section(component, SECTION).ok_or("the bytes are no component")?;
    CustomSection { name: SECTION.into(), data: all.as_bytes().into() }.append_to_component(&mut component);
    Ok((component, count))
}

/// The text of the one example of a text, under this name.
///
/// # Errors
/// When the text has another number of examples.
pub(in crate::plugin) fn named(text: &str, name: &str) -> Result<String, String> {
    let count = Examples::parse(text)?.count();
    if count != 1 {
        return Err(format!("a name is for one example, and there are {count}"));
    }
    let mut table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    for example in table.iter_mut().filter_map(|(_, list)| list.as_array_mut()).flatten() {
        if let Some(example) = example.as_table_mut() {
            example.insert("name".to_owned(), name.into());
        }
    }
    toml::to_string(&table).map_err(|error| error.to_string())
}

/// A component without the custom sections of this name at its top; none if the bytes are no list of sections.
fn without_section(component: &[u8], name: &str) -> Option<Vec<u8>> {
    let (preamble, sections) = component.split_at_checked(PREAMBLE_BYTES)?;
    let (mut kept, mut reader) = (preamble.to_vec(), BinaryReader::new(sections, 0));
    while !reader.eof() {
        let start = reader.current_position();
        let kind = reader.read_u8().ok()?;
        let bytes = usize::try_from(reader.read_var_u32().ok()?).ok()?;
        let content = reader.read_bytes(bytes).ok()?;
        let is_named = || BinaryReader::new(content, 0).read_string().is_ok_and(|found| found == name);
        if kind != CUSTOM || !is_named() {
            kept.extend(&sections[start..reader.current_position()]);
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[processor]]\ninput.frames = ['a']\nexpect.messages = []\n";

    fn component() -> Vec<u8> {
        let mut component = wasm_encoder::Component::new();
        for name in ["other", SECTION, SECTION] {
            let text = format!("[[transform]]\nname = '{name}'\ninput.body = 'b'\nexpect.body = 'b'");
            component.section(&CustomSection { name: name.into(), data: text.as_bytes().into() });
        }
        component.finish()
    }

    #[test]
    fn what_a_component_carries_stays_beside_what_is_added() {
        let (bytes, count) = with_examples(&component(), ONE).unwrap();
        assert_eq!(count, 2);
        let (again, count) = with_examples(&bytes, ONE).unwrap();
        assert_eq!(count, 3);
        assert!(custom_section(&again, "other").is_some());
        let carried = std::str::from_utf8(custom_section(&again, SECTION).unwrap()).unwrap();
        assert!(
            carried.starts_with("[[transform]]\nname = 'tidegate:examples'") && carried.ends_with(ONE),
            "{carried}"
        );
        // What was carried before is not there a second time.
        assert_eq!(again.windows(SECTION.len()).filter(|part| *part == SECTION.as_bytes()).count(), 2);
        let (first, count) = with_examples(&wasm_encoder::Component::new().finish(), ONE).unwrap();
        assert_eq!((custom_section(&first, SECTION), count), (Some(ONE.as_bytes()), 1));
    }

    #[test]
    fn what_is_no_example_or_no_component_is_refused() {
        for (component, text) in [
            (component(), "x = 1"),
            (component(), ""),
            (component(), "name = 'of the example before'"),
            (b"\0asm\x0d\0\x01\0\x01".to_vec(), ONE),
            (b"\0asm".to_vec(), ONE),
        ] {
            assert!(with_examples(&component, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_of_one_example() {
        let (bytes, _) = with_examples(&component(), &named(ONE, "mine").unwrap()).unwrap();
        for name in ["mine", "tidegate:examples"] {
            let error = with_examples(&bytes, &named(ONE, name).unwrap()).unwrap_err();
            assert!(error.contains(&format!("{name:?} already")), "{error}");
        }
    }

    #[test]
    fn one_example_gets_a_name() {
        let text = named(ONE, "it's \"one\"").unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["processor"][0]["name"].as_str(), Some("it's \"one\""));
        assert_eq!(Examples::parse(&text).unwrap().count(), 1);
        assert!(named(&format!("{ONE}{ONE}"), "x").is_err());
    }
}
