//! What is shown of values that differ: text where it is text, cut around the first difference.

use crate::config::COMPARE_EXCERPT_BYTES_MAX;
use serde_json::Value;

/// How much of a long text stands before the first difference.
const BEFORE_BYTES_MAX: usize = 40;
/// What stands for a value that is not there.
const NOTHING: &str = "(nothing)";

/// Both sides of a difference.
pub(super) type Excerpts = (String, String);

pub(super) fn of_bytes(old: &[u8], new: &[u8]) -> Excerpts {
    // Only what may be shown is made readable: the first byte that differs decides which part that is.
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let from =
        if old.len().max(new.len()) > COMPARE_EXCERPT_BYTES_MAX { same.saturating_sub(BEFORE_BYTES_MAX) } else { 0 };
    (part(old, from), part(new, from))
}

pub(super) fn of_json(old: Option<&Value>, new: Option<&Value>) -> Excerpts {
    match (old, new) {
        (Some(old), Some(new)) => of_bytes(old.to_string().as_bytes(), new.to_string().as_bytes()),
        (old, new) => (alone(old), alone(new)),
    }
}

pub(super) fn of_text(text: &str) -> String {
    part(text.as_bytes(), 0)
}

/// Of one side alone.
pub(super) fn or_nothing(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| NOTHING.to_owned(), |bytes| part(bytes, 0))
}

fn alone(value: Option<&Value>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| part(value.to_string().as_bytes(), 0))
}

/// As much of the bytes as is shown; `from` says where that begins.
fn part(bytes: &[u8], from: usize) -> String {
    // A letter that is cut in two is no letter; it is told whole.
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let from = (from.saturating_sub(3)..=from).rev().find(|&at| !is_inside(at)).unwrap_or(from).min(bytes.len());
    let end = (from + COMPARE_EXCERPT_BYTES_MAX).min(bytes.len());
    let end = (end.saturating_sub(3)..=end).rev().find(|&at| !is_inside(at)).unwrap_or(end);
    let mut text = String::new();
    for chunk in bytes[from..end].utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    let ellipsis = |is_cut| if is_cut { "…" } else { "" };
    format!("{}{text}{}", ellipsis(from > 0), ellipsis(end < bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_text_is_cut_around_the_first_difference() {
        let (old, new) = (format!("{}A{}", "ü".repeat(300), "x".repeat(300)), format!("{}B", "ü".repeat(300)));
        let (old, new) = of_bytes(old.as_bytes(), new.as_bytes());
        assert!(old.starts_with("…üü") && old.contains("üA") && old.ends_with("x…"), "{old}");
        assert!(new.starts_with("…üü") && new.ends_with("üB"), "{new}");
        assert_eq!(of_bytes(b"\xff\0a", b""), ("\\xff\0a".to_owned(), String::new()));
        assert_eq!(of_json(None, Some(&serde_json::json!({"a": 1}))), ("(nothing)".to_owned(), "{\"a\":1}".to_owned()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_what_is_shown_is_bounded(
            old in proptest::collection::vec(any::<u8>(), 0..900), new in proptest::collection::vec(any::<u8>(), 0..900),
        ) {
            let (old, new) = of_bytes(&old, &new);
            // Four letters for a byte that is none.
            let max = 4 * (COMPARE_EXCERPT_BYTES_MAX + 4) + 6;
            prop_assert!(old.len() <= max && new.len() <= max);
        }
    }
}
