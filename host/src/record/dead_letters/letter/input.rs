//! What was lost, as a letter keeps it: a message, a request or a reply, with all its bytes.

use crate::flow::Message;
use base64::Engine;
use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The key of the pair that names the request by which a message came in.
pub const REQUEST_ID: &str = "tidegate.request-id";

/// What was lost, with all its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Input {
    /// What a processor was called with, a topic and a body at most.
    Message { topic: String, metadata: Vec<(String, String)>, body_base64: Base64 },
    /// What a processor was called with that is not a topic and a body.
    Frames { metadata: Vec<(String, String)>, frames_base64: Vec<Base64> },
    /// What a reply policy was called with.
    Request { identity_base64: Base64, metadata: Vec<(String, String)>, frames_base64: Vec<Base64> },
    /// What a client was to get: the frames after its identity, a delimiter included.
    Reply { identity_base64: Base64, frames_base64: Vec<Base64> },
}

/// Bytes that JSON has as base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl From<Message> for Input {
    fn from(Message { metadata, frames, .. }: Message) -> Self {
        // An empty topic means none, so that one that is a frame is kept as such.
        let topic = match &frames[..] {
            [_] => Some(String::new()),
            [topic, _] => std::str::from_utf8(topic).ok().filter(|topic| !topic.is_empty()).map(str::to_owned),
            _ => None,
        };
        let mut frames = frames.into_iter().map(|frame| Base64(frame.into()));
        match topic {
            Some(topic) => Self::Message { topic, metadata, body_base64: frames.next_back().unwrap_or_default() },
            None => Self::Frames { metadata, frames_base64: frames.collect() },
        }
    }
}

impl Input {
    /// A request as a policy is asked: the identity of its sender, and what is behind its envelope.
    pub fn request(Message { metadata, frames, .. }: Message) -> Self {
        let mut frames = frames.into_iter().map(|frame| Base64(frame.into()));
        Self::Request { identity_base64: frames.next().unwrap_or_default(), metadata, frames_base64: frames.collect() }
    }

    /// The message that a processor was called with, or a policy, whose messages begin with the identity of the sender;
    /// none of a reply, which was no input of a call.
    pub fn into_message(self) -> Option<Message> {
        if matches!(self, Self::Reply { .. }) { None } else { Some(self.into_frames()) }
    }

    /// All of it as frames; those of a reply begin with the identity of its client too.
    pub fn into_frames(self) -> Message {
        let (metadata, frames): (_, Vec<Base64>) = match self {
            Self::Message { topic, metadata, body_base64: Base64(body) } => {
                return Message::of_topic(topic, metadata, body);
            }
            Self::Frames { metadata, frames_base64 } => (metadata, frames_base64),
            Self::Request { identity_base64, metadata, frames_base64 } => {
                (metadata, std::iter::once(identity_base64).chain(frames_base64).collect())
            }
            Self::Reply { identity_base64, frames_base64 } => {
                (Vec::new(), std::iter::once(identity_base64).chain(frames_base64).collect())
            }
        };
        let frames = frames.into_iter().map(|Base64(frame)| Bytes::from(frame)).collect();
        Message { metadata, frames, ..Message::default() }
    }

    /// The topic; none of a request or a reply, whose first frame is the identity of a client.
    pub(in crate::record::dead_letters) fn topic(&self) -> Option<&[u8]> {
        match self {
            Self::Message { topic, .. } => Some(topic.as_bytes()).filter(|topic| !topic.is_empty()),
            Self::Frames { frames_base64, .. } if frames_base64.len() > 1 => Some(&frames_base64[0].0),
            Self::Frames { .. } | Self::Request { .. } | Self::Reply { .. } => None,
        }
    }

    /// The name of the request that it came by; empty if there is none.
    pub(super) fn request_id(&self) -> &str {
        let metadata = match self {
            Self::Message { metadata, .. } | Self::Frames { metadata, .. } | Self::Request { metadata, .. } => metadata,
            Self::Reply { .. } => return "",
        };
        metadata.iter().find(|(key, _)| key == REQUEST_ID).map_or("", |(_, id)| id)
    }

    /// About how much its contents take.
    pub(super) fn bytes(&self) -> usize {
        let pairs =
            |pairs: &[(String, String)]| pairs.iter().map(|(key, value)| key.len() + value.len() + 48).sum::<usize>();
        let frames = |frames: &[Base64]| frames.iter().map(|frame| frame.0.len() + 24).sum::<usize>();
        match self {
            Self::Message { topic, metadata, body_base64 } => topic.len() + pairs(metadata) + body_base64.0.len(),
            Self::Frames { metadata, frames_base64 } => pairs(metadata) + frames(frames_base64),
            Self::Request { identity_base64, metadata, frames_base64 } => {
                identity_base64.0.len() + pairs(metadata) + frames(frames_base64)
            }
            Self::Reply { identity_base64, frames_base64 } => identity_base64.0.len() + frames(frames_base64),
        }
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(&self.0, &BASE64_STANDARD))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}
