//! What came of one call, for people and for programs.

use super::render::{bytes, field, frames, lines, metadata};
use crate::flow::{Message, Output, Outputs};
use crate::plugin::{CallError, Contract};
use crate::record::dead_letters::{Base64, Input};
use ::bytes::Bytes;
use hyper::Response;
use serde_json::json;
use std::borrow::Cow;

/// What is said of no message.
pub(in crate::cli) const FILTERED: &str = "filtered: there is no message\n";

/// What came of it.
pub(in crate::cli) struct Outcome {
    /// There is an answer, rather than an error.
    pub(in crate::cli) answered: bool,
    /// For programs.
    pub(in crate::cli) json: serde_json::Value,
    /// For people.
    pub(in crate::cli) text: String,
}

impl<T: Into<Self>> From<Result<T, CallError>> for Outcome {
    fn from(result: Result<T, CallError>) -> Self {
        let error = match result {
            Ok(output) => return output.into(),
            Err(error) => error,
        };
        let (reason, error) = (error.reason().as_str(), error.to_string());
        let text = field("reason", reason) + &lines("error", &error);
        Self { answered: false, json: json!({"reason": reason, "error": error}), text }
    }
}

/// What a processor returned, and the version of the contract that it is of.
#[derive(Clone)]
pub(in crate::cli) struct Processed {
    pub(in crate::cli) outputs: Outputs,
    pub(in crate::cli) contract: Option<Contract>,
}

/// What a reply policy returned.
#[derive(Clone)]
pub(in crate::cli) struct Replies(pub(in crate::cli) Outputs);

impl Processed {
    /// The only message, if it has a topic and a body at most.
    pub(in crate::cli) fn only_body(&self) -> Option<&Message> {
        match &self.outputs[..] {
            [Output { message, .. }] if (1..=2).contains(&message.frames.len()) => Some(message),
            _ => None,
        }
    }
}

/// Of version 0.1.0 as its one message, of any later one as a list.
impl From<Processed> for Outcome {
    fn from(processed: Processed) -> Self {
        let is_transform = processed.contract == Some(Contract::V0_1_0);
        let text = match (&processed.outputs[..], processed.only_body()) {
            ([], _) => FILTERED.to_owned(),
            (_, Some(message)) => head(message) + &bytes("body", message.frames.last().unwrap_or(&Bytes::new())),
            (outputs, None) => listed(outputs),
        };
        let json = match &processed.outputs[..] {
            [] if is_transform => json!({"message": null}),
            [Output { message, .. }] if is_transform => json!(Input::from(message.clone())),
            outputs => {
                let messages: Vec<_> = outputs
                    .iter()
                    .map(|Output { message, .. }| {
                        json!({"metadata": message.metadata, "frames_base64": frames_base64(message)})
                    })
                    .collect();
                json!({"messages": messages})
            }
        };
        Self { answered: true, json, text }
    }
}

impl From<Replies> for Outcome {
    fn from(Replies(replies): Replies) -> Self {
        let mut text = format!("replies: {}\n", replies.len());
        let mut list = Vec::new();
        for Output { after, message } in replies {
            let delay_ms = after.as_millis();
            text += &format!("delay_ms: {delay_ms}\n{}{}", metadata(&message.metadata), frames(&message.frames));
            let mut reply = json!({"delay_ms": delay_ms as u64, "frames_base64": frames_base64(&message)});
            if !message.metadata.is_empty() {
                reply["metadata"] = json!(message.metadata);
            }
            list.push(reply);
        }
        Self { answered: true, json: json!({"replies": list}), text }
    }
}

/// What a handler answered.
impl From<Response<Bytes>> for Outcome {
    fn from(response: Response<Bytes>) -> Self {
        let headers: Vec<_> = headers(&response).collect();
        let json = json!({
            "status": response.status().as_u16(),
            "headers": headers,
            "body_base64": Base64(response.body().to_vec()),
        });
        Self { answered: true, json, text: response_head(&response) + &bytes("body", response.body()) }
    }
}

/// Status and headers.
pub(in crate::cli) fn response_head(response: &Response<Bytes>) -> String {
    let headers = headers(response).map(|(name, value)| field("header", &format!("{name}: {value}")));
    field("status", &response.status().to_string()) + &headers.collect::<String>()
}

fn headers(response: &Response<Bytes>) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    response.headers().iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
}

/// All of a message but its body, which is its last frame.
pub(in crate::cli) fn head(message: &Message) -> String {
    let topic = match &message.frames[..] {
        [topic, _] => bytes("topic", topic),
        _ => String::new(),
    };
    topic + &metadata(&message.metadata)
}

/// Messages, numbered, with their frames.
pub(in crate::cli) fn listed(outputs: &[Output]) -> String {
    let mut text = format!("messages: {}\n", outputs.len());
    for (index, Output { message, .. }) in outputs.iter().enumerate() {
        text += &format!("message {index}:\n{}{}", metadata(&message.metadata), frames(&message.frames));
    }
    text
}

fn frames_base64(message: &Message) -> Vec<Base64> {
    message.frames.iter().map(|frame| Base64(frame.to_vec())).collect()
}
