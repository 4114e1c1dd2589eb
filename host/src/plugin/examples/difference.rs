//! How a plugin differs from what its author promised, in lines for people to read.

use std::fmt::{Debug, Display, Write};

/// How much of a longer text is shown, and how much of that stands before the first difference.
const SHOWN_BYTES_MAX: usize = 200;
const BEFORE_BYTES_MAX: usize = 40;

pub(super) fn same<T: PartialEq + Debug>(what: &str, expected: &T, returned: &T) -> Result<(), String> {
    if expected == returned {
        return Ok(());
    }
    Err(format!("{what}: {}", difference(format!("{expected:?}"), format!("{returned:?}"))))
}

pub(super) fn same_bytes(what: &str, expected: &[u8], returned: &[u8]) -> Result<(), String> {
    if expected == returned {
        return Ok(());
    }
    let longer = expected.len().max(returned.len());
    let first = (0..longer).find(|&at| expected.get(at) != returned.get(at)).unwrap_or(longer);
    let from = if longer > SHOWN_BYTES_MAX { first.saturating_sub(BEFORE_BYTES_MAX) } else { 0 };
    let part = |bytes: &[u8]| show(bytes.get(from..).unwrap_or_default());
    let place = if from > 0 { format!(" from byte {from} on") } else { String::new() };
    Err(format!("{what}{place}: {}", difference(part(expected), part(returned))))
}

pub(super) fn within<N: PartialOrd + Display>(
    what: &str,
    number: N,
    min: Option<N>,
    max: Option<N>,
) -> Result<(), String> {
    if let Some(min) = min.filter(|min| number < *min) {
        return Err(difference(format!("{what} of at least {min}"), number));
    }
    if let Some(max) = max.filter(|max| number > *max) {
        return Err(difference(format!("{what} of at most {max}"), number));
    }
    Ok(())
}

pub(super) fn difference(expected: impl Display, returned: impl Display) -> String {
    format!("expected {expected}\n   found {returned}")
}

/// Bytes as text where they are text, with everything else escaped; the beginning of what is long.
pub(super) fn show(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes[..bytes.len().min(SHOWN_BYTES_MAX)].utf8_chunks() {
        text.extend(chunk.valid().escape_debug());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    if bytes.len() > SHOWN_BYTES_MAX {
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
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
    fn a_difference_far_into_a_long_text_is_found_and_shown() {
        let expected = vec![b'x'; 1_000];
        let mut returned = expected.clone();
        assert_eq!(same_bytes("body", &expected, &returned), Ok(()));
        returned[900] = b'y';
        let found = same_bytes("body", &expected, &returned).unwrap_err();
        assert!(found.starts_with("body from byte 860 on: expected \"xxx") && found.contains("xy"), "{found}");
        let shorter = same_bytes("body", b"ab", b"a").unwrap_err();
        assert_eq!(shorter, "body: expected \"ab\"\n   found \"a\"");
    }
}
