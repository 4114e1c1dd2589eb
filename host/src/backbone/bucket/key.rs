//! A key of a bucket as NATS takes it, which is one token of a subject.

use std::fmt::Write;

/// The key with `=XX` for each byte that is neither a letter, a digit, `-` nor `_`.
pub(super) fn encoded(key: &str) -> String {
    key.bytes().fold(String::with_capacity(key.len()), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(byte)),
            // Writing to a text does not fail.
            _ => drop(write!(text, "={byte:02X}")),
        }
        text
    })
}

/// The key that was written so; none if it was not, but by somebody else.
pub(super) fn decoded(text: &str) -> Option<String> {
    let (mut key, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((plain, escaped)) = rest.split_once('=') {
        key.extend_from_slice(plain.as_bytes());
        key.push(u8::from_str_radix(escaped.get(..2)?, 16).ok()?);
        rest = &escaped[2..];
    }
    key.extend_from_slice(rest.as_bytes());
    String::from_utf8(key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_one_token() {
        for (key, token) in [("a-B_1", "a-B_1"), ("a.b", "a=2Eb"), ("*>", "=2A=3E"), ("é ", "=C3=A9=20")] {
            assert_eq!(encoded(key), token);
        }
        for other in ["=", "=4", "=zz", "=FF", "a=C3"] {
            assert_eq!(decoded(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_key_comes_back(key in "\\PC{1,20}") {
            prop_assert_eq!(decoded(&encoded(&key)), Some(key));
        }
    }
}
