//! How a plugin differs from what its author promised, in lines for people to read: what was expected and what came
//! stand one below the other, with marks below what differs.

use similar::{ChangeTag, TextDiff};
use std::fmt::{Debug, Display};

/// How much of a longer text is shown, and how much of that stands before the first difference.
const SHOWN_BYTES_MAX: usize = 200;
const BEFORE_BYTES_MAX: usize = 40;
/// Where the values begin in their lines.
const COLUMN: usize = 12;

/// # Errors
/// The difference, for people to read.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, expected: &T, got: &T) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    Err(marked(&format!("{what} differs"), &format!("{expected:?}"), &format!("{got:?}")))
}

/// # Errors
/// The difference, for people to read.
pub(crate) fn same_bytes(what: &str, expected: &[u8], got: &[u8]) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    let is_text = |bytes| std::str::from_utf8(bytes).is_ok();
    let note = match (is_text(expected), is_text(got)) {
        (true, true) => "",
        (true, false) => " (what came is no UTF-8)",
        (false, true) => " (what was expected is no UTF-8)",
        (false, false) => " (neither is UTF-8)",
    };
    let heading = format!("{what} differs at byte {}{note}", first_difference(expected, got));
    Err(marked(&heading, &quoted(expected), &quoted(got)))
}

/// # Errors
/// The difference, for people to read.
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
    let got = got.to_string();
    let mut lines = got.lines();
    let mut shown = lines.next().unwrap_or_default().to_owned();
    // A trap has its traceback, whose lines stay below the first.
    for line in lines {
        shown += format!("\n{:COLUMN$}{line}", "").trim_end_matches(' ');
    }
    below(&format!("{what} differs"), expected, shown)
}

fn below(heading: &str, expected: impl Display, got: impl Display) -> String {
    format!("{heading}\n   expected {expected}\n   got      {got}")
}

/// Bytes as text where they are text, with everything else escaped; the beginning of what is long.
pub(crate) fn show(bytes: &[u8]) -> String {
    excerpt(&quoted(bytes), 0)
}

fn quoted(bytes: &[u8]) -> String {
    let mut text = "\"".to_owned();
    for chunk in bytes.utf8_chunks() {
        text.extend(chunk.valid().escape_debug());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text + "\""
}

fn first_difference(expected: &[u8], got: &[u8]) -> usize {
    expected.iter().zip(got).take_while(|(expected, got)| expected == got).count()
}

/// As much of a text as is shown; `from` says where that begins.
fn excerpt(text: &str, from: usize) -> String {
    let part = &text[text.floor_char_boundary(from)..];
    let end = part.floor_char_boundary(SHOWN_BYTES_MAX);
    let ellipsis = |is_cut| if is_cut { "…" } else { "" };
    format!("{}{}{}", ellipsis(from > 0), &part[..end], ellipsis(end < part.len()))
}

/// A difference with marks below the letters that only one of the two has.
fn marked(heading: &str, expected: &str, got: &str) -> String {
    let is_long = expected.len().max(got.len()) > SHOWN_BYTES_MAX;
    let before = first_difference(expected.as_bytes(), got.as_bytes()).saturating_sub(BEFORE_BYTES_MAX);
    let from = if is_long { before } else { 0 };
    let (expected, got) = (excerpt(expected, from), excerpt(got, from));
    let diff = TextDiff::from_chars(&expected, &got);
    let marks = |of: ChangeTag| {
        let letters = diff.iter_all_changes().filter(|letter| [ChangeTag::Equal, of].contains(&letter.tag()));
        let marks: String = letters.map(|letter| if letter.tag() == of { '^' } else { ' ' }).collect();
        if marks.contains('^') { format!("\n{:COLUMN$}{}", "", marks.trim_end()) } else { String::new() }
    };
    let (missing, surplus) = (marks(ChangeTag::Delete), marks(ChangeTag::Insert));
    below(heading, expected + &missing, got + &surplus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_far_as_they_are_text() {
        assert_eq!(show(b"a\n\xff\"b"), r#""a\n\xff\"b""#);
        assert!(show(&[b'x'; 300]).ends_with("xx…"));
    }

    #[test]
    fn marks_stand_below_what_differs() {
        let found = same_bytes("body", b"a new day", b"a nice day").unwrap_err();
        let expected = r#"body differs at byte 3
   expected "a new day"
                 ^
   got      "a nice day"
                ^^"#;
        assert_eq!(found, expected);
        let found = same_bytes("body", "é, è".as_bytes(), b"\xc3\xa9, \xff\n").unwrap_err();
        let expected = r#"body differs at byte 4 (what came is no UTF-8)
   expected "é, è"
                ^
   got      "é, \xff\n"
                ^^^^^^"#;
        assert_eq!(found, expected);
        let found = same("topic", &"a", &"").unwrap_err();
        assert_eq!(found, "topic differs\n   expected \"a\"\n             ^\n   got      \"\"");
    }

    #[test]
    fn further_lines_stand_below_the_first() {
        let found = difference("the end of the call", "an answer", "a trap\n  at line 1\n\n  at line 2");
        let expected = "the end of the call differs
   expected an answer
   got      a trap
              at line 1

              at line 2";
        assert_eq!(found, expected);
    }

    #[test]
    fn a_difference_far_into_a_long_text_is_found_and_shown() {
        let expected = "ü".repeat(500).into_bytes();
        let mut got = expected.clone();
        assert_eq!(same_bytes("body", &expected, &got), Ok(()));
        got.splice(900..902, *b"yz");
        let found = same_bytes("body", &expected, &got).unwrap_err();
        assert!(found.starts_with("body differs at byte 900\n   expected …üüü"), "{found}");
        let marks = found.lines().last().unwrap();
        assert!(marks.ends_with(" ^^"), "{found}");
        assert!(marks.len() < COLUMN + BEFORE_BYTES_MAX, "{found}");
    }
}
