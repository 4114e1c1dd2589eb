//! How a message is written as one line of JSON.

use super::time::TimeText;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use std::time::SystemTime;

/// Writes one line after the other into the same buffer: `{"time":TIME,"frames":[FRAME…]}` and a newline. A frame is a
/// text, or `{"base64":…}` where its bytes are not UTF-8.
#[derive(Default)]
pub(crate) struct JsonLineWriter {
    line: Vec<u8>,
    time: TimeText,
}

impl JsonLineWriter {
    /// Begins a line.
    pub(crate) fn begin(&mut self, now: SystemTime) {
        self.line.clear();
        self.line.extend_from_slice(b"{\"time\":\"");
        self.line.extend_from_slice(self.time.at(now).as_bytes());
        self.line.extend_from_slice(b"\",\"frames\":[");
    }

    /// Adds the next frame of the message.
    pub(crate) fn add(&mut self, frame: &[u8]) {
        if self.line.last() != Some(&b'[') {
            self.line.push(b',');
        }
        let frame = match std::str::from_utf8(frame) {
            Ok(text) => json!(text),
            Err(_) => json!({"base64": BASE64_STANDARD.encode(frame)}),
        };
        self.line.extend_from_slice(frame.to_string().as_bytes());
    }

    /// Ends the line.
    pub(crate) fn end(&mut self) -> &[u8] {
        self.line.extend_from_slice(b"]}\n");
        &self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_object_with_its_frames() {
        let mut writer = JsonLineWriter::default();
        for (frames, expected) in [
            (vec![b"a\"b\n".as_slice(), b"", b"\xff\0"], json!(["a\"b\n", "", {"base64": "/wA="}])),
            (vec![b"[".as_slice(), b"x"], json!(["[", "x"])),
        ] {
            writer.begin(SystemTime::UNIX_EPOCH);
            frames.iter().for_each(|frame| writer.add(frame));
            let line = std::str::from_utf8(writer.end()).expect("text");
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(object, json!({"time": "1970-01-01T00:00:00.000Z", "frames": expected}));
        }
    }
}
