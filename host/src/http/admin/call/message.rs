//! Messages as JSON: bytes are text where they are UTF-8, else base64.

use crate::flow::{self, Metadata};
use crate::http::problem::Problem;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A message to call with: a body, and a topic before it or none, or any frames.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    topic: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    body: Option<String>,
    body_base64: Option<String>,
    frames: Option<Vec<String>>,
    frames_base64: Option<Vec<String>>,
}

/// A message of version 0.1.0 of the contract.
#[derive(Serialize)]
pub(in crate::http::admin) struct TopicAndBody {
    topic: String,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// A message of any later one.
#[derive(Serialize)]
pub(in crate::http::admin) struct Framed {
    metadata: Metadata,
    #[serde(flatten)]
    frames: Frames,
}

#[derive(Serialize)]
pub(in crate::http::admin) struct Reply {
    delay_ms: u64,
    /// Not told where there is none, which is always so in version 0.1.0 of the contract.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metadata: Metadata,
    #[serde(flatten)]
    frames: Frames,
}

/// Text where all of them are UTF-8, else all are base64.
#[derive(Serialize)]
struct Frames {
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_base64: Option<Vec<String>>,
}

impl Message {
    /// # Errors
    /// When it has both a body and frames, no frame, or what is no base64.
    pub(super) fn read(self, request_id: String) -> Result<flow::Message, Problem> {
        let Self { topic, metadata, body: text, body_base64, frames, frames_base64 } = self;
        let metadata = named(metadata, request_id);
        if frames.is_none() && frames_base64.is_none() {
            let body = body("a message", text, body_base64)?.unwrap_or_default();
            return Ok(flow::Message::of_topic(topic.unwrap_or_default(), metadata, body));
        }
        if topic.is_some() || text.is_some() || body_base64.is_some() {
            return Err(Problem::Malformed("a message has either frames, or a body and perhaps a topic".to_owned()));
        }
        let frames = given_frames("a message", frames, frames_base64)?.into_iter().map(Bytes::from).collect();
        Ok(flow::Message { metadata, frames, ..flow::Message::default() })
    }
}

impl TopicAndBody {
    /// None of a message that has none of the two.
    pub(super) fn of(message: &flow::Message) -> Option<Self> {
        let (topic, bytes) = flow::Message { metadata: Vec::new(), ..message.clone() }.into_topic_and_body()?;
        let (body, body_base64) = text_or_base64(&bytes);
        Some(Self {
            topic: String::from_utf8_lossy(&topic).into_owned(),
            metadata: message.metadata.clone(),
            body,
            body_base64,
        })
    }
}

impl Framed {
    pub(super) fn of(message: &flow::Message) -> Self {
        Self { metadata: message.metadata.clone(), frames: Frames::of(&message.frames) }
    }
}

impl Reply {
    pub(super) fn of(flow::Output { after, message }: &flow::Output) -> Self {
        let delay_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        Self { delay_ms, metadata: message.metadata.clone(), frames: Frames::of(&message.frames) }
    }
}

impl Frames {
    fn of(frames: &[Bytes]) -> Self {
        let texts: Result<Vec<_>, _> =
            frames.iter().map(|frame| std::str::from_utf8(frame).map(str::to_owned)).collect();
        let encoded = || frames.iter().map(|frame| BASE64_STANDARD.encode(frame)).collect();
        let frames_base64 = texts.is_err().then(encoded);
        Self { frames: texts.ok(), frames_base64 }
    }
}

/// The metadata, with a name for the call unless it brings one.
pub(super) fn named(mut metadata: Metadata, request_id: String) -> Metadata {
    const KEY: &str = "tidegate.request-id";
    if metadata.iter().all(|(key, _)| key != KEY) {
        metadata.insert(0, (KEY.to_owned(), request_id));
    }
    metadata
}

/// The frames of `what`, which are given as text or as base64.
///
/// # Errors
/// When they are given in both ways or neither, there is none, or what is no base64.
pub(super) fn given_frames(
    what: &str,
    texts: Option<Vec<String>>,
    base64: Option<Vec<String>>,
) -> Result<Vec<Vec<u8>>, Problem> {
    let frames = match (texts, base64) {
        (Some(frames), None) => frames.into_iter().map(String::into_bytes).collect(),
        (None, Some(frames)) => {
            frames.iter().map(|frame| decoded(frame, "frames_base64")).collect::<Result<Vec<_>, _>>()?
        }
        _ => Vec::new(),
    };
    if frames.is_empty() {
        return Err(Problem::Malformed(format!("{what} has either frames or frames_base64, at least one")));
    }
    Ok(frames)
}

/// The body of `what`, which is given as text or as base64.
///
/// # Errors
/// When it is given in both ways, or what is no base64.
pub(super) fn body(what: &str, text: Option<String>, base64: Option<String>) -> Result<Option<Vec<u8>>, Problem> {
    match (text, base64) {
        (text, None) => Ok(text.map(String::into_bytes)),
        (None, Some(base64)) => decoded(&base64, "body_base64").map(Some),
        (Some(_), Some(_)) => Err(Problem::Malformed(format!("{what} has either body or body_base64"))),
    }
}

pub(super) fn text_or_base64(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}

/// # Errors
/// When it is no base64.
pub(super) fn decoded(text: &str, name: &str) -> Result<Vec<u8>, Problem> {
    BASE64_STANDARD.decode(text).map_err(|error| Problem::Malformed(format!("{name} is no base64: {error}")))
}
