//! A message as NATS carries it: one payload and headers, and all frames back out of them.
//!
//! The payload is the body alone where a message has a topic and a body, so that others who read the stream need nothing of
//! Tidegate's. The topic goes into a header, and where there are other frames their lengths do.

use crate::flow::{Frames, Message, Metadata};
use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use std::str::FromStr;

/// The topic, with `%XX` for what no header holds.
const TOPIC: HeaderName = HeaderName::from_static("Tidegate-Topic");
/// The lengths of the frames behind the topic, with commas between; without it the payload is one.
const FRAMES: HeaderName = HeaderName::from_static("Tidegate-Frames");
/// What keys begin with that only the host sets, and headers that only NATS and the host do.
const OF_HOST: [&str; 3] = ["tidegate.", "tidegate-", "nats-"];
/// The trace that a message belongs to.
const TRACE_PARENT: &str = "traceparent";
/// The id by which NATS knows a message that comes again; a plugin may set it.
pub(super) const MESSAGE_ID: &str = "Nats-Msg-Id";

/// What stands in no header, beside what is not ASCII.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b' ');

/// The headers and the payload of a message.
pub(super) fn encode(message: &Message) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    for (key, value) in &message.metadata {
        if is_of_host(key) && !key.eq_ignore_ascii_case(MESSAGE_ID) {
            continue;
        }
        // What is no header stays here: it means nothing to NATS.
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(key), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    if let Some(parent) = message.trace.traceparent() {
        headers.insert(TRACE_PARENT, parent);
    }
    let (topic, rest) = match &message.frames[..] {
        [topic, rest @ ..] if !rest.is_empty() => (Some(topic), rest),
        all => (None, all),
    };
    if let Some(topic) = topic {
        headers.insert(TOPIC, percent_encode(topic, ESCAPED).to_string());
    }
    match (topic, rest) {
        (Some(_), [body]) => (headers, body.clone()),
        _ => {
            let lengths: Vec<_> = rest.iter().map(|frame| frame.len().to_string()).collect();
            headers.insert(FRAMES, lengths.join(","));
            let payload = match rest {
                [only] => only.clone(),
                several => several
                    .iter()
                    .fold(BytesMut::new(), |mut all, frame| {
                        all.extend_from_slice(frame);
                        all
                    })
                    .freeze(),
            };
            (headers, payload)
        }
    }
}

/// The metadata and the frames of a message that came by a subject, which is its topic unless it says another.
pub(super) fn decode(subject: &str, headers: Option<&HeaderMap>, payload: &Bytes) -> (Metadata, Frames) {
    let mut metadata = Metadata::new();
    let own = |name: HeaderName| headers.and_then(|headers| headers.get(name)).map(HeaderValue::as_str);
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        let name: &str = name.as_ref();
        if !is_of_host(name) {
            metadata.extend(values.iter().map(|value| (name.to_owned(), value.as_str().to_owned())));
        }
    }
    let topic = own(TOPIC).map(|topic| Bytes::from(percent_decode_str(topic).collect::<Vec<_>>()));
    let split = own(FRAMES).and_then(|lengths| split(lengths, payload));
    let mut frames = Frames::new();
    match (topic, split) {
        (None, Some(all)) => frames.extend(all),
        (topic, rest) => {
            frames.push(topic.unwrap_or_else(|| Bytes::copy_from_slice(subject.as_bytes())));
            frames.extend(rest.unwrap_or_else(|| vec![payload.clone()]));
        }
    }
    (metadata, frames)
}

/// The frames of these lengths; none if the payload is not that long.
fn split(lengths: &str, payload: &Bytes) -> Option<Vec<Bytes>> {
    let mut rest = payload.clone();
    let mut frames = Vec::new();
    for length in lengths.split(',').filter(|length| !length.is_empty()) {
        let length = length.parse::<usize>().ok().filter(|length| *length <= rest.len())?;
        frames.push(rest.split_to(length));
    }
    rest.is_empty().then_some(frames)
}

pub(super) fn is_of_host(key: &str) -> bool {
    let begins = |prefix: &str| key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    OF_HOST.iter().any(|prefix| begins(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn message(frames: &[&[u8]]) -> Message {
        Message { frames: frames.iter().map(|frame| Bytes::copy_from_slice(frame)).collect(), ..Message::default() }
    }

    #[test]
    fn a_body_under_a_topic_is_the_payload_and_nothing_else() {
        let (headers, payload) = encode(&message(&[b"camera/\xff 1", b"body"]));
        assert_eq!((headers.len(), &payload[..]), (1, &b"body"[..]));
        assert_eq!(headers.get(TOPIC).unwrap().as_str(), "camera/%FF%201");
        let (_, frames) = decode("camera", None, &payload);
        assert_eq!(frames[..], [Bytes::from("camera"), Bytes::from("body")]);
    }

    #[test]
    fn metadata_is_headers_but_what_the_host_and_nats_say() {
        let pairs =
            [("tidegate.peer", "p"), ("Tidegate-Topic", "x"), ("Nats-Msg-Id", "7"), ("nats-rollup", "all"), ("k", "v")];
        let metadata = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let (headers, payload) = encode(&Message { metadata, ..message(&[b"t", b"b"]) });
        assert_eq!(headers.get(TOPIC).unwrap().as_str(), "t");
        assert_eq!(headers.get(MESSAGE_ID).unwrap().as_str(), "7");
        assert_eq!(headers.len(), 3, "{headers:?}");
        let (metadata, _) = decode("s", Some(&headers), &payload);
        assert_eq!(metadata, [("k".to_owned(), "v".to_owned())]);
    }

    #[test]
    fn lengths_that_are_not_the_payloads_are_no_lengths() {
        for lengths in ["3", "5", "1,2", "x", "-1", "4,", "18446744073709551615,1"] {
            let mut headers = HeaderMap::new();
            headers.insert(FRAMES, lengths);
            let (_, frames) = decode("s", Some(&headers), &Bytes::from("body"));
            let expected: &[&[u8]] = if lengths == "4," { &[b"body"] } else { &[b"s", b"body"] };
            assert_eq!(frames[..], message(expected).frames[..], "{lengths}");
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(frames in vec(vec(any::<u8>(), 0..9), 0..5)) {
            let sent = message(&frames.iter().map(|frame| &frame[..]).collect::<Vec<_>>());
            let (headers, payload) = encode(&sent);
            prop_assert_eq!(decode("s", Some(&headers), &payload).1, sent.frames);
        }
    }
}
