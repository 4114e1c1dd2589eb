//! Examples: what a plugin's author promises of it, carried in the component and held to before it may serve.
//!
//! They stand in the guest crate's `examples.toml`; `plugin build` puts the file into a custom section as it is.

mod difference;

use super::patience::while_too_busy;
use crate::config::{EXAMPLES_MAX, EXAMPLES_MS_MAX};
use crate::plugin::call::{CallError, CallNumber, Message, Metadata, Reply, Request};
use crate::plugin::roles::loaded::Plugin;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use difference::{difference, same, same_bytes, show, within};
use futures_util::FutureExt;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The custom section of a component that holds its examples.
pub const SECTION: &str = "tidegate:examples";

/// The examples of one component.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Examples {
    transform: Vec<Example<MessageIn, MessageOut>>,
    reply_policy: Vec<Example<RequestIn, RepliesOut>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example<I, O> {
    name: Option<String>,
    input: I,
    expect: O,
}

/// Text, or any bytes as `{ base64 = "…" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Bytes { base64: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageIn {
    #[serde(default)]
    topic: String,
    #[serde(default)]
    metadata: Metadata,
    body: Content,
}

/// What is left out may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageOut {
    topic: Option<String>,
    metadata: Option<Metadata>,
    body: Option<Content>,
    #[serde(default)]
    filtered: bool,
    error: Option<ErrorKind>,
    error_contains: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestIn {
    identity: Option<Content>,
    #[serde(default)]
    metadata: Metadata,
    frames: Vec<Content>,
}

/// What is left out may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RepliesOut {
    replies_min: Option<usize>,
    replies_max: Option<usize>,
    delay_ms_min: Option<u32>,
    delay_ms_max: Option<u32>,
    /// Of every reply.
    frames: Option<Vec<Content>>,
    error: Option<ErrorKind>,
    error_contains: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ErrorKind {
    Rejected,
    Failed,
}

/// One example and what came of it: nothing, or how the plugin differs.
pub struct Outcome {
    /// As the author called it, or its place in the file.
    pub name: String,
    /// Lines for people to read.
    pub difference: Option<String>,
    /// The host had too much to do to try it, which says nothing of the plugin; no example after it was tried.
    pub was_busy: bool,
}

/// Why an example is not kept.
struct Miss {
    difference: String,
    was_busy: bool,
}

impl From<String> for Miss {
    fn from(difference: String) -> Self {
        Self { difference, was_busy: false }
    }
}

impl Content {
    fn bytes(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Bytes { base64 } => BASE64.decode(base64).map_err(|error| format!("`{base64}`: {error}")),
        }
    }
}

impl Examples {
    /// Reads an `examples.toml`.
    ///
    /// # Errors
    /// Names the line and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let examples: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let count = examples.count();
        if count > EXAMPLES_MAX {
            return Err(format!("{count} examples are more than {EXAMPLES_MAX}"));
        }
        examples.check_contents().map_err(|error| format!("base64 {error}"))?;
        Ok(examples)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.transform.len() + self.reply_policy.len()
    }

    /// Decodes everything once, so that a slip in the file is found when it is read.
    fn check_contents(&self) -> Result<(), String> {
        for example in &self.transform {
            example.input.body.bytes()?;
            example.expect.body.iter().try_for_each(|body| body.bytes().map(drop))?;
        }
        for example in &self.reply_policy {
            let RequestIn { identity, frames, .. } = &example.input;
            let expected = example.expect.frames.iter().flatten();
            identity.iter().chain(frames).chain(expected).try_for_each(|content| content.bytes().map(drop))?;
        }
        Ok(())
    }

    /// Tries the plugin on each, in order, under its own bounds. The last outcome may be that time ran out.
    pub async fn try_on(&self, plugin: &Arc<Plugin>) -> Vec<Outcome> {
        let deadline = Instant::now() + Duration::from_millis(EXAMPLES_MS_MAX);
        let was_busy = &AtomicBool::new(false);
        let transform = self.transform.iter().enumerate().map(|(index, example)| {
            (example.title("transform", index), example.try_on(plugin, number(index), was_busy).boxed())
        });
        let reply_policy = self.reply_policy.iter().enumerate().map(|(index, example)| {
            (example.title("reply-policy", index), example.try_on(plugin, number(index), was_busy).boxed())
        });
        let mut outcomes = Vec::new();
        for (name, tried) in transform.chain(reply_policy) {
            if Instant::now() > deadline {
                outcomes.push(Outcome::out_of_time(name, was_busy.load(Ordering::Relaxed)));
                break;
            }
            let outcome = Outcome::new(name, tried.await);
            let is_last = outcome.was_busy;
            outcomes.push(outcome);
            if is_last {
                break;
            }
        }
        outcomes
    }
}

/// Of the example with this index in its list.
fn number(index: usize) -> CallNumber {
    CallNumber::Load(index as u64 + 1)
}

impl Outcome {
    fn new(name: String, tried: Result<(), Miss>) -> Self {
        let (difference, was_busy) = tried.err().map(|miss| (miss.difference, miss.was_busy)).unzip();
        Self { name, difference, was_busy: was_busy.unwrap_or(false) }
    }

    /// `was_busy` is whether any try before it was kept from its end by the host: then the host took the time.
    fn out_of_time(name: String, was_busy: bool) -> Self {
        let difference = format!("not tried: all examples together took longer than {EXAMPLES_MS_MAX} ms");
        Self { name, difference: Some(difference), was_busy }
    }
}

impl<I, O> Example<I, O> {
    fn title(&self, role: &str, index: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("{role} {}", index + 1))
    }
}

impl Example<MessageIn, MessageOut> {
    async fn try_on(&self, plugin: &Arc<Plugin>, number: CallNumber, was_busy: &AtomicBool) -> Result<(), Miss> {
        let MessageIn { topic, metadata, body } = &self.input;
        let message = Message { topic: topic.clone(), metadata: metadata.clone(), body: body.bytes()? };
        let MessageOut { topic, metadata, body, filtered, error, error_contains } = &self.expect;
        let message = Arc::new(message.into());
        let call = || plugin.transform(Arc::clone(&message), number, Arc::default(), ());
        let ended = while_too_busy(call, was_busy).await;
        let Some(returned) = expected_end(ended, *error, error_contains)? else { return Ok(()) };
        let message = match (returned, filtered) {
            (None, true) => return Ok(()),
            (None, false) => {
                return Err(difference("the answer", "a message", "none: the plugin filtered it").into());
            }
            (Some(message), true) => {
                return Err(difference("the answer", "none: a filtered message", show(&message.body)).into());
            }
            (Some(message), false) => message,
        };
        if let Some(body) = body {
            same_bytes("body", &body.bytes()?, &message.body)?;
        }
        if let Some(topic) = topic {
            same("topic", topic, &message.topic)?;
        }
        if let Some(metadata) = metadata {
            same("metadata", metadata, &message.metadata)?;
        }
        Ok(())
    }
}

impl Example<RequestIn, RepliesOut> {
    async fn try_on(&self, plugin: &Arc<Plugin>, number: CallNumber, was_busy: &AtomicBool) -> Result<(), Miss> {
        let RequestIn { identity, metadata, frames } = &self.input;
        let identity = identity.as_ref().map_or_else(|| Ok(b"example".to_vec()), Content::bytes)?;
        let frames = frames.iter().map(Content::bytes).collect::<Result<_, _>>()?;
        let request = Request { identity, metadata: metadata.clone(), frames };
        let RepliesOut { replies_min, replies_max, delay_ms_min, delay_ms_max, frames, error, error_contains } =
            &self.expect;
        let request = Arc::new(request.into());
        let call = || plugin.replies(Arc::clone(&request), number, Arc::default(), ());
        let ended = while_too_busy(call, was_busy).await;
        let Some(replies) = expected_end(ended, *error, error_contains)? else { return Ok(()) };
        within("replies", replies.len(), *replies_min, *replies_max)?;
        for (index, Reply { delay_ms, frames: returned }) in replies.iter().enumerate() {
            within(&format!("delay_ms of reply {index}"), *delay_ms, *delay_ms_min, *delay_ms_max)?;
            if let Some(frames) = frames {
                let expected = frames.iter().map(Content::bytes).collect::<Result<Vec<_>, _>>()?;
                same(&format!("number of frames of reply {index}"), &expected.len(), &returned.len())?;
                for (place, (expected, returned)) in expected.iter().zip(returned).enumerate() {
                    same_bytes(&format!("frame {place} of reply {index}"), expected, returned)?;
                }
            }
        }
        Ok(())
    }
}

/// What was returned, or none if an error was expected and came.
fn expected_end<T>(
    ended: Result<T, CallError>,
    error: Option<ErrorKind>,
    contains: &Option<String>,
) -> Result<Option<T>, Miss> {
    let (kind, text) = match ended {
        Ok(returned) => {
            return match error {
                Some(error) => {
                    Err(difference("the end of the call", format!("the error {error:?}"), "an answer").into())
                }
                None => Ok(Some(returned)),
            };
        }
        Err(CallError::Rejected(text)) => (ErrorKind::Rejected, text),
        Err(CallError::Failed(text)) => (ErrorKind::Failed, text),
        Err(busy) if busy.is_too_busy() => return Err(Miss { difference: busy.to_string(), was_busy: true }),
        Err(breakdown) => {
            let expected = error.map_or("an answer".to_owned(), |error| format!("{error:?}"));
            return Err(difference("the end of the call", expected, breakdown).into());
        }
    };
    if error != Some(kind) {
        let expected = error.map_or("an answer".to_owned(), |error| format!("{error:?}"));
        return Err(difference("the end of the call", expected, format!("{kind:?}: {text:?}")).into());
    }
    match contains {
        Some(part) if !text.contains(part) => {
            Err(difference("the error's text", format!("something with {part:?}"), format!("{text:?}")).into())
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_the_file_is_named() {
        for (text, named) in [
            ("[[transform]]\ninput.body = 'a'\nexpect.bdy = 'b'", "bdy"),
            ("[[transform]]\ninput.body = { base64 = '?' }\nexpect.body = 'b'", "base64"),
            ("[[transform]]\nexpect.body = 'b'", "input"),
            ("[[policy]]", "policy"),
        ] {
            let error = Examples::parse(text).unwrap_err();
            assert!(error.contains(named), "{named} is not in: {error}");
        }
        assert_eq!(Examples::parse("").unwrap().count(), 0);
    }
}
