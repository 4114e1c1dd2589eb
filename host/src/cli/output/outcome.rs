//! What came of one call, for people and for programs.

use super::render::{bytes, field, frames, lines, metadata};
use crate::dead_letters::{Base64, Input};
use crate::plugin::{CallError, Message, Reply};
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

/// What a transform returned.
impl From<Option<Message>> for Outcome {
    fn from(message: Option<Message>) -> Self {
        let Some(message) = message else {
            return Self { answered: true, json: json!({"message": null}), text: FILTERED.to_owned() };
        };
        let text = head(&message) + &bytes("body", &message.body);
        Self { answered: true, json: json!(Input::from(message)), text }
    }
}

/// What a reply policy returned.
impl From<Vec<Reply>> for Outcome {
    fn from(replies: Vec<Reply>) -> Self {
        let mut text = format!("replies: {}\n", replies.len());
        let mut list = Vec::new();
        for Reply { delay_ms, frames: reply } in replies {
            text += &format!("delay_ms: {delay_ms}\n{}", frames(&reply));
            let frames_base64: Vec<_> = reply.into_iter().map(Base64).collect();
            list.push(json!({"delay_ms": delay_ms, "frames_base64": frames_base64}));
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

/// All of a message but its body.
pub(in crate::cli) fn head(message: &Message) -> String {
    let topic = if message.topic.is_empty() { String::new() } else { field("topic", &message.topic) };
    topic + &metadata(&message.metadata)
}
