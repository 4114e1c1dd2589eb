//! How a message is written as one line of text.

use super::envelope::Frames;
use std::fmt::Write;

/// `TIME FRAME[<TAB>FRAME…]` and a newline. TIME is RFC 3339 in UTC with milliseconds.
pub(super) fn line(time: jiff::Timestamp, frames: &Frames) -> String {
    let mut line = format!("{time:.3} ");
    for (index, frame) in frames.iter().enumerate() {
        if index > 0 {
            line.push('\t');
        }
        escape_into(&mut line, frame);
    }
    line.push('\n');
    line
}

/// Appends the bytes of a frame such that they stay on one line, in one column, and can be told from all others: text
/// as it is, `\\` `\t` `\n` `\r` so, other control bytes and bytes that are not UTF-8 as `\xNN`.
fn escape_into(line: &mut String, frame: &[u8]) {
    for chunk in frame.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => line.push_str(r"\\"),
                '\t' => line.push_str(r"\t"),
                '\n' => line.push_str(r"\n"),
                '\r' => line.push_str(r"\r"),
                control if control.is_control() => push_hex(line, control.encode_utf8(&mut [0; 4]).as_bytes()),
                text => line.push(text),
            }
        }
        push_hex(line, chunk.invalid());
    }
}

fn push_hex(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(line, r"\x{byte:02x}");
    }
}

/// Reads an escaped frame back, as a user's script would.
#[cfg(any(test, fuzzing))]
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend(plain.as_bytes());
        let (byte, length) = match escape.as_bytes()[0] {
            b't' => (b'\t', 1),
            b'n' => (b'\n', 1),
            b'r' => (b'\r', 1),
            b'x' => (u8::from_str_radix(&escape[1..3], 16).expect("two digits"), 3),
            backslash => (backslash, 1),
        };
        bytes.push(byte);
        rest = &escape[length..];
    }
    bytes.extend(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(frame: &[u8]) -> String {
        let mut line = String::new();
        escape_into(&mut line, frame);
        line
    }

    #[test]
    fn a_line_has_a_time_and_the_frames() {
        let time = "2026-01-02T03:04:05.678999Z".parse().expect("a time");
        let frames = vec![b"topic".to_vec(), b"".to_vec(), b"a b".to_vec()];
        assert_eq!(line(time, &frames), "2026-01-02T03:04:05.678Z topic\t\ta b\n");
        let full_second = "2026-01-02T03:04:05Z".parse().expect("a time");
        assert_eq!(line(full_second, &vec![vec![]]), "2026-01-02T03:04:05.000Z \n");
    }

    #[test]
    fn what_would_break_the_line_is_escaped() {
        for (frame, expected) in [
            ("lower case of É is é 🦀".as_bytes(), "lower case of É is é 🦀"),
            (b"a\\b\tc\nd\re", r"a\\b\tc\nd\re"),
            (b"\0\x1b[31m\x7f", r"\x00\x1b[31m\x7f"),
            ("\u{85}\u{9b}".as_bytes(), r"\xc2\x85\xc2\x9b"),
            (b"a\xff\xc3(", r"a\xff\xc3("),
        ] {
            assert_eq!(escaped(frame), expected);
        }
    }

    proptest! {
        #[test]
        fn a_frame_stays_in_its_column_and_can_be_read_back(frame in proptest::collection::vec(any::<u8>(), 0..50)) {
            let escaped = escaped(&frame);
            prop_assert!(!escaped.contains(|c: char| c.is_control()));
            prop_assert_eq!(unescaped(&escaped), frame);
        }
    }
}
