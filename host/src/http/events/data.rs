//! The data of an event: its text, or an envelope of what is no text.

use super::event::Event;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Names of events that mean something else: what the host says of the stream, and what browsers say of the connection.
const RESERVED: [&str; 4] = ["gap", "error", "open", "message"];
/// How envelopes begin. Text that begins so is put into one, so that whoever sees it knows what it is.
const ENVELOPES: [&str; 2] = ["{\"base64\":", "{\"topic\":"];

/// What is sent of a message is kept with it, and whoever may publish must not make that far more than what is counted for
/// it: a body whose line ends, or a frame whose escapes, would make more than twice of it is no text. Little ones are.
const SPARE_BODY_BYTES: usize = 256;
const SPARE_FRAME_BYTES: usize = 32;
/// What each line of a body has before it.
pub(super) const LINE_START: &str = "data: ";

/// The topic as the name of an event; none where the message has no topic, or one that cannot be such a name.
pub(super) fn name(event: &Event) -> Option<&str> {
    let topic = event.frames.first().filter(|_| event.frames.len() > 1)?;
    let topic = std::str::from_utf8(topic).ok()?;
    let is_name = !topic.is_empty() && !topic.contains(['\r', '\n', '\0']) && !RESERVED.contains(&topic);
    is_name.then_some(topic)
}

/// The body, or an envelope of it, or of all that is in the message.
pub(in crate::http) fn data(event: &Event) -> Cow<'_, str> {
    match &event.frames[..] {
        [body] => body_data(body),
        [_, body] if name(event).is_some() => body_data(body),
        [topic, bodies @ ..] => {
            let frames: Value = bodies.iter().map(|frame| item(frame)).collect();
            // In this order, which the beginning tells.
            format!("{{\"topic\":{},\"frames\":{frames}}}", item(topic)).into()
        }
        [] => "".into(),
    }
}

fn body_data(body: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(body) {
        Ok(text) if is_plain(text) => text.into(),
        _ => in_base64(body).to_string().into(),
    }
}

/// Whether a body is sent as it is.
fn is_plain(text: &str) -> bool {
    let line_ends = text.bytes().filter(|&byte| byte == b'\n').count();
    !text.contains(['\r', '\0'])
        && !ENVELOPES.iter().any(|start| text.starts_with(start))
        && line_ends * LINE_START.len() <= text.len() + SPARE_BODY_BYTES
}

/// One frame in an envelope.
pub(in crate::http) fn item(frame: &[u8]) -> Value {
    match std::str::from_utf8(frame) {
        Ok(text) if escaped_bytes(text) <= 2 * text.len() + SPARE_FRAME_BYTES => text.into(),
        _ => in_base64(frame),
    }
}

/// How long a text is as a string of JSON.
fn escaped_bytes(text: &str) -> usize {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        ..0x20 => "\\u0000".len(),
        _ => 1,
    });
    escaped.sum()
}

pub(in crate::http) fn in_base64(bytes: &[u8]) -> Value {
    json!({"base64": STANDARD.encode(bytes)})
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn shown(frames: &[&'static [u8]]) -> (Option<String>, String) {
        let event = Event::new(1, frames.iter().map(|&frame| Bytes::from_static(frame)).collect());
        (name(&event).map(str::to_owned), data(&event).into_owned())
    }

    /// The frames of a message, and the name and the data of its event.
    type Case<'a> = (&'a [&'static [u8]], Option<&'a str>, &'a str);

    #[test]
    fn text_is_told_as_it_is_and_everything_else_in_an_envelope() {
        let cases: &[Case] = &[
            (&[b"text"], None, "text"),
            (&[b""], None, ""),
            (&[b"two\nlines\n"], None, "two\nlines\n"),
            (&["é\u{1f30a}".as_bytes()], None, "é\u{1f30a}"),
            (&[b"cr\r"], None, r#"{"base64":"Y3IN"}"#),
            (&[b"nul\0"], None, r#"{"base64":"bnVsAA=="}"#),
            (&[b"\xff"], None, r#"{"base64":"/w=="}"#),
            (&[br#"{"base64":1}"#], None, r#"{"base64":"eyJiYXNlNjQiOjF9"}"#),
            (&[br#"{"topic":1}"#], None, r#"{"base64":"eyJ0b3BpYyI6MX0="}"#),
            (&[br#"{ "topic":1}"#], None, r#"{ "topic":1}"#),
            (&[b"topic", b"text"], Some("topic"), "text"),
            (&["tö pic: a".as_bytes(), b"\xff"], Some("tö pic: a"), r#"{"base64":"/w=="}"#),
            (&[b"t", b"a", b"b\xff"], Some("t"), r#"{"topic":"t","frames":["a",{"base64":"Yv8="}]}"#),
            (&[b"gap", b"a"], None, r#"{"topic":"gap","frames":["a"]}"#),
            (&[b"", b"a"], None, r#"{"topic":"","frames":["a"]}"#),
            (&[b"a\nevent: b", b"a\r\n"], None, r#"{"topic":"a\nevent: b","frames":["a\r\n"]}"#),
            (&[b"a\0\x01\x02\x03\x04\x05"], None, r#"{"base64":"YQABAgMEBQ=="}"#),
            (&[b"t", b"a\x01", b""], Some("t"), r#"{"topic":"t","frames":["a\u0001",""]}"#),
            (
                &[b"t", b"a", b"\x01\x02\x03\x04\x05\x06\x07\x0b\x0e"],
                Some("t"),
                r#"{"topic":"t","frames":["a",{"base64":"AQIDBAUGBwsO"}]}"#,
            ),
            (&[b"\xff", b"a"], None, r#"{"topic":{"base64":"/w=="},"frames":["a"]}"#),
        ];
        for (frames, name, data) in cases {
            assert_eq!(shown(frames), (name.map(str::to_owned), (*data).to_owned()), "{frames:?}");
        }
    }
}
