//! Examples called `transform`: a topic and a body in, and what is promised of the one message that comes out, whichever
//! version of the contract the plugin was built against.

use super::difference::{difference, same, same_bytes, show};
use super::{Content, ErrorKind, Exemplary};
use crate::flow::{Message, Metadata, Outputs};
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::roles::processor::Processor;
use crate::plugin::roles::role::Role;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(default)]
    topic: String,
    #[serde(default)]
    metadata: Metadata,
    body: Content,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    topic: Option<String>,
    metadata: Option<Metadata>,
    body: Option<Content>,
    #[serde(default)]
    filtered: bool,
    error: Option<ErrorKind>,
    error_contains: Option<String>,
}

pub(super) enum OfTransform {}

impl Exemplary for OfTransform {
    type Role = Processor;
    type Input = Input;
    type Expected = Expected;

    const NAME: &str = "transform";

    fn input(plugin: &Plugin, written: &Input) -> <Processor as Role>::In {
        let Input { topic, metadata, body: Content(body) } = written;
        plugin.input::<Processor>(Message::of_topic(topic.clone(), metadata.clone(), body.clone()))
    }

    fn error(expected: &Expected) -> (Option<ErrorKind>, Option<&str>) {
        (expected.error, expected.error_contains.as_deref())
    }

    fn compare(expected: &Expected, outputs: Outputs) -> Result<(), String> {
        let count = outputs.len();
        let message = outputs.into_iter().next().map(|output| output.message);
        let (mut message, frames) = match (message, expected.filtered) {
            (None, true) => return Ok(()),
            (None, false) => return Err(difference("the answer", "a message", "none: the plugin filtered it")),
            (Some(message), true) => {
                let body = message.frames.last().map(|body| show(body)).unwrap_or_default();
                return Err(difference("the answer", "none: a filtered message", body));
            }
            (Some(message), false) if count == 1 => {
                let frames = message.frames.len();
                (message, frames)
            }
            _ => {
                let got = format!("{count} messages, of which examples called processor tell");
                return Err(difference("the answer", "one message", got));
            }
        };
        let metadata = std::mem::take(&mut message.metadata);
        let Some((topic, body)) = message.into_topic_and_body() else {
            let got = format!("{frames} frames, of which examples called processor tell");
            return Err(difference("the answer", "a body, and a topic before it or none", got));
        };
        if let Some(Content(expected)) = &expected.body {
            same_bytes("body", expected, &body)?;
        }
        if let Some(expected) = &expected.topic {
            same_bytes("topic", expected.as_bytes(), &topic)?;
        }
        if let Some(expected) = &expected.metadata {
            same("metadata", expected, &metadata)?;
        }
        Ok(())
    }
}
