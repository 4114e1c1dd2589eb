//! How a plugin differs from what its author promised, in lines for people to read: what was expected and what came
//! stand one below the other, with marks below what differs.

use std::fmt::{Debug, Display};

/// How much of a longer text is shown, and how much of that stands before the first difference.
const SHOWN_BYTES_MAX: usize = 200;
const BEFORE_BYTES_MAX: usize = 40;
/// Where the values begin in their lines.
const COLUMN: usize = 12;

pub(crate) fn same<T: PartialEq + Debug>(what: &str, expected: &T, got: &T) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    let letters = |value: &T| format!("{value:?}").chars().map(String::from).collect::<Vec<_>>();
    Err(marked(&format!("{what} differs"), &letters(expected), &letters(got)))
}

pub(crate) fn same_bytes(what: &str, expected: &[u8], got: &[u8]) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    let longer = expected.len().max(got.len());
    let first = (0..longer).find(|&at| expected.get(at) != got.get(at)).unwrap_or(longer);
    let from = if longer > SHOWN_BYTES_MAX { first.saturating_sub(BEFORE_BYTES_MAX) } else { 0 };
    // What comes before the first difference is the same in both: there a character is not cut in two.
    let from = (0..=from).rev().find(|&at| expected.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)).unwrap_or(from);
    let is_text = |bytes| std::str::from_utf8(bytes).is_ok();
    let note = match (is_text(expected), is_text(got)) {
        (true, true) => "",
        (true, false) => " (what came is no UTF-8)",
        (false, true) => " (what was expected is no UTF-8)",
        (false, false) => " (neither is UTF-8)",
    };
    Err(marked(&format!("{what} differs at byte {first}{note}"), &pieces(expected, from), &pieces(got, from)))
}

pub(crate) fn within<N: PartialOrd + Display>(
    what: &str,
    number: N,
    min: Option<N>,
    max: Option<N>,
) -> Result<(), String> {
    if let Some(min) = min.filter(|min| number < *min) {
        return Err(difference(what, format!("at least {min}"), number));
    }
    if let Some(max) = max.filter(|max| number > *max) {
        return Err(difference(what, format!("at most {max}"), number));
    }
    Ok(())
}

pub(crate) fn difference(what: &str, expected: impl Display, got: impl Display) -> String {
    below(&format!("{what} differs"), expected, got)
}

fn below(heading: &str, expected: impl Display, got: impl Display) -> String {
    format!("{heading}\n   expected {expected}\n   got      {got}")
}

/// Bytes as text where they are text, with everything else escaped; the beginning of what is long.
pub(crate) fn show(bytes: &[u8]) -> String {
    pieces(bytes, 0).concat()
}

/// The same in the pieces that can differ: a character, or a byte that is none. `from` says where it begins.
fn pieces(bytes: &[u8], from: usize) -> Vec<String> {
    let shown = bytes.get(from..).unwrap_or_default();
    let mut pieces = vec![if from > 0 { "…\"" } else { "\"" }.to_owned()];
    for chunk in shown[..shown.len().min(SHOWN_BYTES_MAX)].utf8_chunks() {
        pieces.extend(chunk.valid().chars().map(|letter| letter.escape_debug().to_string()));
        pieces.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    pieces.push("\"".to_owned());
    if shown.len() > SHOWN_BYTES_MAX {
        pieces.push(format!("… ({} bytes)", bytes.len()));
    }
    pieces
}

/// A difference with marks below the pieces between the first that differs and the last.
fn marked(heading: &str, expected: &[String], got: &[String]) -> String {
    let before = expected.iter().zip(got).take_while(|(expected, got)| expected == got).count();
    let (expected_rest, got_rest) = (&expected[before..], &got[before..]);
    let both = expected_rest.iter().rev().zip(got_rest.iter().rev());
    let after = both.take_while(|(expected, got)| expected == got).count();
    let width = |pieces: &[String]| pieces.iter().map(|piece| piece.chars().count()).sum::<usize>();
    let differing = |rest: &[String]| width(&rest[..rest.len() - after]);
    let marks = "^".repeat(differing(expected_rest).max(differing(got_rest)).max(1));
    let indent = COLUMN + width(&got[..before]);
    below(heading, expected.concat(), got.concat()) + &format!("\n{:indent$}{marks}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_far_as_they_are_text() {
        assert_eq!(show(b"a\n\xff\"b"), r#""a\n\xff\"b""#);
        assert!(show(&[b'x'; 300]).ends_with("(300 bytes)"));
    }

    #[test]
    fn marks_stand_below_what_differs() {
        let found = same_bytes("body", b"a new day", b"a nice day").unwrap_err();
        let expected = r#"body differs at byte 3
   expected "a new day"
   got      "a nice day"
                ^^^"#;
        assert_eq!(found, expected);
        let found = same_bytes("body", "é, è".as_bytes(), b"\xc3\xa9, \xff\n").unwrap_err();
        let expected = r#"body differs at byte 4 (what came is no UTF-8)
   expected "é, è"
   got      "é, \xff\n"
                ^^^^^^"#;
        assert_eq!(found, expected);
        let found = same("topic", &"a", &"").unwrap_err();
        assert_eq!(found, "topic differs\n   expected \"a\"\n   got      \"\"\n             ^");
    }

    #[test]
    fn a_difference_far_into_a_long_text_is_found_and_shown() {
        let expected = "ü".repeat(500).into_bytes();
        let mut got = expected.clone();
        assert_eq!(same_bytes("body", &expected, &got), Ok(()));
        got.splice(900..902, *b"yz");
        let found = same_bytes("body", &expected, &got).unwrap_err();
        assert!(found.starts_with("body differs at byte 900\n   expected …\"üüü"), "{found}");
        let marks = found.lines().last().unwrap();
        assert_eq!(marks.trim_end_matches('^').len(), COLUMN + 2 + BEFORE_BYTES_MAX / 2, "{found}");
        assert!(marks.ends_with(" ^^"), "{found}");
        let shorter = same_bytes("body", b"ab", b"a").unwrap_err();
        assert_eq!(shorter, "body differs at byte 1\n   expected \"ab\"\n   got      \"a\"\n              ^");
    }
}
