//! A call that gave no answer, as a dead letter has it.

use super::request_id;
use crate::dead_letters::{Base64, By, Input, Lost};
use crate::plugin::call::{CallError, Message, Request, Stamp};

/// The letter of a call that failed: `route` is the name of the slot that was asked, `number` the message's at its hop.
pub fn lost(route: &str, number: u64, by: Option<&Stamp>, error: &CallError, input: impl Into<Input>) -> Lost {
    let input = input.into();
    let id = match &input {
        Input::Message { metadata, .. } | Input::Request { metadata, .. } => request_id(metadata).to_owned(),
        Input::Reply { .. } => String::new(),
    };
    Lost {
        id,
        route: route.to_owned(),
        reason: error.reason(),
        error: error.to_string(),
        by: by.map(By::from),
        number,
        input,
    }
}

impl From<&Stamp> for By {
    fn from(stamp: &Stamp) -> Self {
        Self { plugin: stamp.plugin.clone(), generation: stamp.generation, digest: stamp.digest.clone() }
    }
}

impl From<Message> for Input {
    fn from(message: Message) -> Self {
        let Message { topic, metadata, body } = message;
        Self::Message { topic, metadata, body_base64: Base64(body) }
    }
}

impl From<Request> for Input {
    fn from(request: Request) -> Self {
        let Request { identity, metadata, frames } = request;
        let frames_base64 = frames.into_iter().map(Base64).collect();
        Self::Request { identity_base64: Base64(identity), metadata, frames_base64 }
    }
}
