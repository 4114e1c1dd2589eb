//! How a message is written as one line of text.

mod json;
mod time;

use json::JsonLineWriter;
use std::io::Write;
use std::time::SystemTime;
use time::TimeText;

/// Writes one line after the other into the same buffer: `TIME FRAME[<TAB>FRAME…]` and a newline. TIME is RFC 3339 in
/// UTC with milliseconds.
#[derive(Default)]
pub(crate) struct LineWriter {
    line: Vec<u8>,
    frames: usize,
    time: TimeText,
}

/// Writes lines in one of the two forms.
pub(crate) enum Line {
    Text(LineWriter),
    Json(JsonLineWriter),
}

impl Line {
    pub(crate) fn new(json: bool) -> Self {
        if json { Self::Json(JsonLineWriter::default()) } else { Self::Text(LineWriter::default()) }
    }

    pub(crate) fn begin(&mut self, now: SystemTime) {
        match self {
            Self::Text(line) => line.begin(now),
            Self::Json(line) => line.begin(now),
        }
    }

    pub(crate) fn add(&mut self, frame: &[u8]) {
        match self {
            Self::Text(line) => line.add(frame),
            Self::Json(line) => line.add(frame),
        }
    }

    pub(crate) fn end(&mut self) -> &[u8] {
        match self {
            Self::Text(line) => line.end(),
            Self::Json(line) => line.end(),
        }
    }
}

impl LineWriter {
    /// Begins a line.
    pub(crate) fn begin(&mut self, now: SystemTime) {
        self.line.clear();
        self.line.extend(self.time.at(now).as_bytes());
        self.line.push(b' ');
        self.frames = 0;
    }

    /// Adds the next frame of the message.
    pub(crate) fn add(&mut self, frame: &[u8]) {
        if self.frames > 0 {
            self.line.push(b'\t');
        }
        self.frames += 1;
        escape_into(&mut self.line, frame);
    }

    /// Ends the line: UTF-8, with its newline.
    pub(crate) fn end(&mut self) -> &[u8] {
        self.line.push(b'\n');
        &self.line
    }
}

/// Appends the bytes of a frame, escaped such that they stay on one line and in one column, and can be read back: text
/// as it is, but `\\`, `\t`, `\n` and `\r` for these characters, and `\xNN` for other control bytes and bytes that are
/// not UTF-8.
fn escape_into(line: &mut Vec<u8>, frame: &[u8]) {
    // Nearly all text needs no escapes. A loop without a branch in it is vectorized.
    if frame.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'[' | b']'..=b'~')) {
        return line.extend_from_slice(frame);
    }
    for chunk in frame.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => line.extend_from_slice(br"\\"),
                '\t' => line.extend_from_slice(br"\t"),
                '\n' => line.extend_from_slice(br"\n"),
                '\r' => line.extend_from_slice(br"\r"),
                control if control.is_control() => push_hex(line, control.encode_utf8(&mut [0; 4]).as_bytes()),
                text => line.extend_from_slice(text.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        push_hex(line, chunk.invalid());
    }
}

fn push_hex(line: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        // Writing to memory cannot fail.
        let _ = write!(line, r"\x{byte:02x}");
    }
}

/// Reads an escaped frame back, as a user's script would.
#[cfg(any(test, fuzzing))]
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
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
        let mut line = Vec::new();
        escape_into(&mut line, frame);
        String::from_utf8(line).expect("text")
    }

    #[test]
    fn a_line_has_a_time_and_the_frames() {
        let mut writer = LineWriter::default();
        let mut line = |time: &str, frames: &[&[u8]]| {
            writer.begin(time.parse::<jiff::Timestamp>().expect("a time").into());
            frames.iter().for_each(|frame| writer.add(frame));
            String::from_utf8(writer.end().to_vec()).expect("text")
        };
        let early = "2026-01-02T03:04:05.678123Z";
        assert_eq!(line(early, &[b"topic", b"", b"a b"]), "2026-01-02T03:04:05.678Z topic\t\ta b\n");
        assert_eq!(line("2026-01-02T03:04:05.678999Z", &[b"", b"x"]), "2026-01-02T03:04:05.678Z \tx\n");
        assert_eq!(line("2026-01-02T03:04:06Z", &[b""]), "2026-01-02T03:04:06.000Z \n");
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
