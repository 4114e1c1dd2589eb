//! How what goes into a call and what comes out of it is shown to people: as text where it is, without steering the
//! terminal.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// `name: text`, or `name (base64): …` where the bytes are no text.
pub(in crate::cli) fn bytes(name: &str, bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => field(name, text),
        Err(_) => format!("{name} (base64): {}\n", BASE64_STANDARD.encode(bytes)),
    }
}

/// Each on a line of its own, numbered.
pub(in crate::cli) fn frames<F: AsRef<[u8]>>(frames: impl IntoIterator<Item = F>) -> String {
    frames.into_iter().enumerate().map(|(index, frame)| bytes(&format!("frame {index}"), frame.as_ref())).collect()
}

pub(in crate::cli) fn metadata(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(key, value)| field("metadata", &format!("{key}={value}"))).collect()
}

/// `name: text`, on one line.
pub(in crate::cli) fn field(name: &str, text: &str) -> String {
    format!("{name}: {}\n", one_line(text))
}

/// A text of several lines, the further ones indented.
pub(in crate::cli) fn lines(name: &str, text: &str) -> String {
    format!("{name}: {}\n", printable(text.trim_end()).replace('\n', "\n  "))
}

/// The text with every control character written out.
pub(in crate::cli) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// The text with its control characters written out: what a plugin returned must not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && letter != '\n' && letter != '\t' {
            output.extend(letter.escape_default());
        } else {
            output.push(letter);
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\nü"), "a\\u{1b}[2Jb\tc\nü");
    }

    #[test]
    fn contents_stay_on_their_lines() {
        assert_eq!(bytes("body", "a\nid: forged\t\u{1b}é".as_bytes()), "body: a\\nid: forged\\t\\u{1b}é\n");
        assert_eq!(bytes("body", b"\xff\0"), "body (base64): /wA=\n");
        assert_eq!(frames([b"a".as_slice(), b""]), "frame 0: a\nframe 1: \n");
        assert_eq!(lines("error", "a\n 0: b\n"), "error: a\n   0: b\n");
    }
}
