//! A message of a tail as an event: bytes are text where they are UTF-8, else base64.

use crate::flow::{Metadata, Point, Seen, SeenFrame};
use crate::http::admin::live::sse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Serialize;

#[derive(Serialize)]
struct Message<'a> {
    time: String,
    point: Point,
    /// `flow`, `route` or `policy`, with its name.
    at: At<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    to: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<Shown<'a>>,
    /// How many there are.
    frames: usize,
    bytes: usize,
    /// Of the first frames.
    sizes: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contents: Option<Vec<Shown<'a>>>,
}

#[derive(Serialize)]
struct At<'a> {
    kind: &'a str,
    name: &'a str,
}

/// Bytes, one way or the other.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// Whether there are more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl<'a> Shown<'a> {
    fn of(bytes: &'a [u8], cut: bool) -> Self {
        let text = std::str::from_utf8(bytes).ok();
        let base64 = text.is_none().then(|| BASE64_STANDARD.encode(bytes));
        Self { text, base64, cut }
    }
}

/// The event of a message.
pub(super) fn event_of(seen: &Seen) -> Vec<u8> {
    let at = Timestamp::try_from(seen.at).unwrap_or_default();

    let message = Message {
        time: format!("{at:.3}"),
        point: seen.point,
        at: At { kind: seen.kind, name: &seen.name },
        id: &seen.id,
        from: seen.from.as_deref(),
        to: &seen.to,
        identity: seen.identity.as_deref().map(|identity| Shown::of(identity, false)),
        topic: seen
            .topic
            .as_deref()
            .map(|topic| Shown::of(topic, seen.sizes.first().is_some_and(|&size| size > topic.len()))),
        frames: seen.frames_in_all,
        bytes: seen.bytes,
        sizes: &seen.sizes,
        metadata: seen.metadata.as_ref(),
        contents: seen.frames.as_deref().map(contents),
    };
    sse::event("message", &message).into()
}

fn contents(frames: &[SeenFrame]) -> Vec<Shown<'_>> {
    frames.iter().map(|frame| Shown::of(&frame.bytes, frame.is_cut)).collect()
}
