//! What came of one call, for people and for programs.

use super::shown::{bytes, field, frames, lines, metadata};
use crate::dead_letters::{Base64, Input};
use crate::plugin::{CallError, Message, Reply};
use serde_json::json;

/// What came of it.
pub(super) struct Outcome {
    /// There is an answer, rather than an error.
    pub(super) answered: bool,
    /// For programs.
    pub(super) json: serde_json::Value,
    /// For people.
    pub(super) text: String,
}

impl Outcome {
    /// Of a call of the role `transform`.
    pub(super) fn of_transform(result: Result<Option<Message>, CallError>) -> Self {
        result.map_or_else(|error| failed(&error), transformed)
    }

    /// Of a call of the role `reply-policy`.
    pub(super) fn of_replies(result: Result<Vec<Reply>, CallError>) -> Self {
        result.map_or_else(|error| failed(&error), replied)
    }
}

fn failed(error: &CallError) -> Outcome {
    let (reason, error) = (error.reason().as_str(), error.to_string());
    let text = field("reason", reason) + &lines("error", &error);
    Outcome { answered: false, json: json!({"reason": reason, "error": error}), text }
}

fn transformed(message: Option<Message>) -> Outcome {
    let Some(Message { topic, metadata: pairs, body }) = message else {
        let text = "filtered: there is no message\n".to_owned();
        return Outcome { answered: true, json: json!({"message": null}), text };
    };
    let shown_topic = if topic.is_empty() { String::new() } else { field("topic", &topic) };
    let text = shown_topic + &metadata(&pairs) + &bytes("body", &body);
    let message = Input::from(Message { topic, metadata: pairs, body });
    Outcome { answered: true, json: json!(message), text }
}

fn replied(replies: Vec<Reply>) -> Outcome {
    let mut text = format!("replies: {}\n", replies.len());
    let mut list = Vec::new();
    for Reply { delay_ms, frames: reply } in replies {
        text += &format!("delay_ms: {delay_ms}\n{}", frames(&reply));
        list.push(json!({"delay_ms": delay_ms, "frames_base64": reply.into_iter().map(Base64).collect::<Vec<_>>()}));
    }
    Outcome { answered: true, json: json!({"replies": list}), text }
}
