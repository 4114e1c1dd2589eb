//! What may be reset and what may not, item by item, and that a reset leaves what a new instance has.

mod obstacles;
mod state;

#[test]
fn every_source_is_among_those_that_decide() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/plugin/load/reset")).unwrap();
    let sources =
        files.flatten().map(|entry| entry.path()).filter(|path| path.is_file() && !path.ends_with("fuzzing.rs"));
    let mut count = 0;
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(super::SOURCES.contains(&&*text), "{} is not in SOURCES", path.display());
        count += 1;
    }
    assert_eq!(count, super::SOURCES.len());
}

/// A component around the fields of a core module that exports `run`, from u32 to u32.
fn component(fields: &str) -> Vec<u8> {
    around(&format!("(core module $m {fields}) (core instance $main (instantiate $m))"), "")
}

/// A component whose core instance `$main` exports `run`; `rest` follows what is lifted.
fn around(core: &str, rest: &str) -> Vec<u8> {
    let text = format!(
        r#"(component {core}
            (func $run (param "x" u32) (result u32) (canon lift (core func $main "run")))
            (export "run" (func $run)) {rest})"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The function that they export.
const RUN: &str = r#"(func (export "run") (param i32) (result i32)"#;
