//! The examples of the role `transform`: a message in, and what is promised of the message that comes out.

use super::difference::{difference, same, same_bytes, show};
use super::{Content, ErrorKind, Exemplary};
use crate::flow::Metadata;
use crate::plugin::call::Message;
use crate::plugin::roles::transform::Transform;
use serde::Deserialize;
use std::sync::Arc;

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

impl Exemplary for Transform {
    type Input = Input;
    type Expected = Expected;

    fn input(Input { topic, metadata, body: Content(body) }: &Input) -> Arc<Message> {
        Arc::new(Message { topic: topic.clone(), metadata: metadata.clone(), body: body.clone() })
    }

    fn error(expected: &Expected) -> (Option<ErrorKind>, Option<&str>) {
        (expected.error, expected.error_contains.as_deref())
    }

    fn compare(expected: &Expected, output: Option<Message>) -> Result<(), String> {
        let message = match (output, expected.filtered) {
            (None, true) => return Ok(()),
            (None, false) => return Err(difference("the answer", "a message", "none: the plugin filtered it")),
            (Some(message), true) => {
                return Err(difference("the answer", "none: a filtered message", show(&message.body)));
            }
            (Some(message), false) => message,
        };
        if let Some(Content(body)) = &expected.body {
            same_bytes("body", body, &message.body)?;
        }
        if let Some(topic) = &expected.topic {
            same("topic", topic, &message.topic)?;
        }
        if let Some(metadata) = &expected.metadata {
            same("metadata", metadata, &message.metadata)?;
        }
        Ok(())
    }
}
