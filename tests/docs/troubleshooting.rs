//! docs/troubleshooting.md has an entry for every error that the host declares or logs.

use crate::harness::root;
use std::collections::BTreeSet;
use std::path::Path;

/// A message that comes from here has a remedy there.
const MACROS: [&str; 3] = ["#[error(", "tracing::warn!(", "tracing::error!("];
/// What says nothing by itself: it is another message that is passed on, or the fields around one.
const PASSED_ON: [&str; 4] = ["…", "… …", "…; …", "tidegate.request-id"];

/// The string literal that a macro's message is: the first one that stands directly among its arguments.
fn message(arguments: &str) -> Option<String> {
    let (mut depth, mut found, mut text) = (1, None, arguments.chars());
    while let Some(letter) = text.next() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '"' => {
                let mut literal = String::new();
                while let Some(letter) = text.next() {
                    match letter {
                        '"' => break,
                        '\\' => match text.next() {
                            // A line that goes on.
                            Some('\n') => text = text.as_str().trim_start().chars(),
                            Some(escaped) => literal.push(escaped),
                            None => break,
                        },
                        letter => literal.push(letter),
                    }
                }
                if depth == 1 && found.is_none() {
                    found = Some(literal);
                }
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// With what differs from case to case as `…`.
fn pattern(message: &str) -> String {
    let mut pattern = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once('{') {
        pattern += before;
        pattern += "…";
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    pattern + rest
}

fn messages(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            messages(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            // Comments hold examples.
            let text: String = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| format!("{line}\n"))
                .collect();
            for start in MACROS {
                found.extend(text.split(start).skip(1).filter_map(message).map(|message| pattern(&message)));
            }
        }
    }
}

#[test]
fn every_error_has_a_remedy() {
    let mut found = BTreeSet::new();
    messages(&root().join("host/src"), &mut found);
    found.retain(|pattern| !PASSED_ON.contains(&pattern.as_str()));
    assert!(found.len() > 60, "{found:?}");
    let page = std::fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    // What has a backtick in it stands between double ones, perhaps with a space.
    let told = |pattern: &str| match pattern.contains('`') {
        true => page.contains(pattern),
        false => page.contains(&format!("`{pattern}`")),
    };
    let missing: Vec<_> = found.iter().filter(|pattern| !told(pattern)).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md has no entry for\n{missing:#?}");
}

#[test]
fn messages_are_found_where_they_stand() {
    assert_eq!(message(r#"plugin = "x", "it {died}")"#), Some("x".to_owned()));
    assert_eq!(message("%error, plugin = name(\"no\"), \"it \\\n    died\");"), Some("it died".to_owned()));
    assert_eq!(message("transparent)] a(\"b\")"), None);
    assert_eq!(pattern("loading {} of {name:?} failed"), "loading … of … failed");
}
