//! Examples called `processor`: the frames of a message in, and what is promised of the messages that come out.

use super::difference::{difference, same, same_bytes, show};
use super::{Content, ErrorKind, Exemplary};
use crate::flow::{Message, Metadata, Outputs};
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::roles::processor::Processor;
use crate::plugin::roles::role::Role;
use bytes::Bytes;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(default)]
    metadata: Metadata,
    frames: AtLeastOne,
}

#[derive(Deserialize)]
#[serde(try_from = "Vec<Content>")]
struct AtLeastOne(Vec<Content>);

impl TryFrom<Vec<Content>> for AtLeastOne {
    type Error = &'static str;

    fn try_from(frames: Vec<Content>) -> Result<Self, Self::Error> {
        if frames.is_empty() { Err("a message has at least one of frames") } else { Ok(Self(frames)) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// All that come out, in order; none if the message is filtered.
    messages: Option<Vec<ExpectedMessage>>,
    error: Option<ErrorKind>,
    error_contains: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedMessage {
    metadata: Option<Metadata>,
    frames: Option<Vec<Content>>,
}

pub(super) enum OfProcessor {}

impl Exemplary for OfProcessor {
    type Role = Processor;
    type Input = Input;
    type Expected = Expected;

    const NAME: &str = "processor";

    fn input(plugin: &Plugin, Input { metadata, frames: AtLeastOne(frames) }: &Input) -> <Processor as Role>::In {
        let frames = frames.iter().map(|Content(frame)| Bytes::from(frame.clone())).collect();
        plugin.input::<Processor>(Message { metadata: metadata.clone(), frames, ..Message::default() })
    }

    fn error(expected: &Expected) -> (Option<ErrorKind>, Option<&str>) {
        (expected.error, expected.error_contains.as_deref())
    }

    fn compare(expected: &Expected, outputs: Outputs) -> Result<(), String> {
        let Some(expected) = &expected.messages else { return Ok(()) };
        // What all of them have in common comes first: there the first difference is.
        for (index, (expected, output)) in expected.iter().zip(&outputs).enumerate() {
            compare_message(index, expected, &output.message)?;
        }
        if expected.len() == outputs.len() {
            return Ok(());
        }
        let mut got = outputs.len().to_string();
        if let Some(surplus) = outputs.get(expected.len()) {
            got += &format!(", the first that is not expected being {}", shown(&surplus.message));
        }
        Err(difference("number of messages", expected.len(), got))
    }
}

fn compare_message(index: usize, expected: &ExpectedMessage, message: &Message) -> Result<(), String> {
    if let Some(expected) = &expected.frames {
        for (position, (Content(expected), frame)) in expected.iter().zip(&message.frames).enumerate() {
            same_bytes(&format!("frame {position} of message {index}"), expected, frame)?;
        }
        if expected.len() != message.frames.len() {
            let what = format!("number of frames of message {index}");
            return Err(difference(&what, expected.len(), format!("{}: {}", message.frames.len(), shown(message))));
        }
    }
    match &expected.metadata {
        Some(expected) => same(&format!("metadata of message {index}"), expected, &message.metadata),
        None => Ok(()),
    }
}

fn shown(message: &Message) -> String {
    message.frames.iter().map(|frame| show(frame)).collect::<Vec<_>>().join(", ")
}
