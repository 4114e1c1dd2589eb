//! A call of a plugin for trying it out: JSON in, what it returned as JSON out; nothing is published or sent.

use super::json;
use crate::config::IDENTITY_BYTES_MAX;
use crate::flow::Metadata;
use crate::http::answer::say_who;
use crate::http::problem::Problem;
use crate::plugin::{self, Answer, CallNumber, ReplyPolicy, Slot, Transform, WholeResponse, WrittenRequest};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use warp::reply::Response;

/// Who asks, where the call does not say.
const IDENTITY: &[u8] = b"admin";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    role: Option<String>,
    message: Option<Message>,
    request: Option<Request>,
    http_request: Option<HttpRequest>,
}

/// A body is text where it is UTF-8, else base64.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    #[serde(default)]
    topic: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    identity_base64: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    frames: Option<Vec<String>>,
    frames_base64: Option<Vec<String>>,
}

/// What is left out is as [`WrittenRequest`] has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpRequest {
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
}

/// A body is text where it is UTF-8, else base64.
#[derive(Serialize)]
pub(super) struct HttpResponse {
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// Frames are text where all of them are UTF-8, else all are base64.
#[derive(Serialize)]
pub(super) struct Reply {
    delay_ms: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_base64: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Returned<'a> {
    plugin: &'a str,
    generation: u64,
    digest: &'a str,
    #[serde(flatten)]
    output: Output,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub(super) enum Output {
    /// No message: the plugin filtered it.
    Transform { message: Option<Message> },
    /// Any number of replies.
    ReplyPolicy { replies: Vec<Reply> },
    /// As a client would get it.
    HttpHandler { response: HttpResponse },
}

/// Calls the plugin as the body says. `number` is that of the trial: the call is for no message of the traffic.
///
/// # Errors
/// When the body describes no call, or the call fails.
pub(super) async fn answer(
    slot: &Slot,
    body: &[u8],
    request_id: String,
    number: CallNumber,
) -> Result<Response, Problem> {
    let call: Call =
        serde_json::from_slice(body).map_err(|error| Problem::Malformed(format!("the body is no call: {error}")))?;
    match (call.role.as_deref(), call.message, call.request, call.http_request) {
        (None | Some("transform"), Some(message), None, None) => {
            let message = Arc::new(message.read(request_id)?);
            let answer = slot.call::<Transform>(Arc::clone(&message), message.request_id(), number).await;
            with_generation(answer, |message| Output::Transform { message: message.map(Message::from) })
        }
        (None | Some("reply-policy"), None, Some(request), None) => {
            let request = Arc::new(request.read(request_id)?);
            let answer = slot.call::<ReplyPolicy>(Arc::clone(&request), request.request_id(), number).await;
            with_generation(answer, |replies| Output::ReplyPolicy {
                replies: replies.into_iter().map(Reply::from).collect(),
            })
        }
        (None | Some("http-handler"), None, None, Some(request)) => {
            let checked = request.read()?.checked(request_id.as_str()).map_err(Problem::Malformed)?;
            let answer = slot.call::<WholeResponse>(checked, &request_id, number).await;
            with_generation(answer, |response| Output::HttpHandler { response: response.into() })
        }
        _ => Err(Problem::Malformed(
            "a call has either a message (role transform), a request (role reply-policy) or an http_request (role \
             http-handler)"
                .to_owned(),
        )),
    }
}

impl Message {
    fn read(self, request_id: String) -> Result<plugin::Message, Problem> {
        let body = body("a message", self.body, self.body_base64)?.unwrap_or_default();
        Ok(plugin::Message { topic: self.topic, metadata: named(self.metadata, request_id), body })
    }
}

impl HttpRequest {
    fn read(self) -> Result<WrittenRequest, Problem> {
        let Self { method, path, headers, body: text, body_base64 } = self;
        Ok(WrittenRequest { method, path, headers, body: body("an http_request", text, body_base64)? })
    }
}

impl Request {
    fn read(self, request_id: String) -> Result<plugin::Request, Problem> {
        let identity = match &self.identity_base64 {
            Some(text) => decoded(text, "identity_base64")?,
            None => IDENTITY.to_owned(),
        };
        if identity.is_empty() || identity.len() > IDENTITY_BYTES_MAX {
            return Err(Problem::Malformed(format!("identity_base64 is not 1 to {IDENTITY_BYTES_MAX} bytes")));
        }
        let frames = match (self.frames, self.frames_base64) {
            (Some(frames), None) => frames.into_iter().map(String::into_bytes).collect(),
            (None, Some(frames)) => {
                frames.iter().map(|frame| decoded(frame, "frames_base64")).collect::<Result<Vec<_>, _>>()?
            }
            _ => Vec::new(),
        };
        if frames.is_empty() {
            return Err(Problem::Malformed("a request has either frames or frames_base64, at least one".to_owned()));
        }
        Ok(plugin::Request { identity, metadata: named(self.metadata, request_id), frames })
    }
}

impl From<plugin::Message> for Message {
    fn from(message: plugin::Message) -> Self {
        let (body, body_base64) = text_or_base64(message.body);
        Self { topic: message.topic, metadata: message.metadata, body, body_base64 }
    }
}

impl From<warp::http::Response<Bytes>> for HttpResponse {
    fn from(response: warp::http::Response<Bytes>) -> Self {
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let status = response.status().as_u16();
        let (body, body_base64) = text_or_base64(response.into_body().into());
        Self { status, headers, body, body_base64 }
    }
}

impl From<plugin::Reply> for Reply {
    fn from(reply: plugin::Reply) -> Self {
        let encoded = || reply.frames.iter().map(|frame| BASE64_STANDARD.encode(frame)).collect();
        let (frames, frames_base64) =
            match reply.frames.iter().map(|frame| String::from_utf8(frame.clone())).collect::<Result<_, _>>() {
                Ok(texts) => (Some(texts), None),
                Err(_) => (None, Some(encoded())),
            };
        Self { delay_ms: reply.delay_ms, frames, frames_base64 }
    }
}

/// Says in the answer, or in the headers of a failure, which generation of which plugin was called.
///
/// # Errors
/// When the answer has a result of no plugin.
pub(super) fn with_generation<T>(
    Answer { by, result }: Answer<T>,
    output: impl FnOnce(T) -> Output,
) -> Result<Response, Problem> {
    let mut response = match (&by, result) {
        (Some(by), Ok(returned)) => {
            let (plugin, generation, digest) = (&by.plugin, by.generation, &by.digest);
            json(&Returned { plugin, generation, digest, output: output(returned) })?
        }
        (None, Ok(_)) => return Err(Problem::Host),
        (_, Err(error)) => Problem::from(error).into_response(),
    };
    if let Some(by) = by {
        say_who(response.headers_mut(), &by);
    }
    Ok(response)
}

/// The metadata, with a name for the call unless it brings one.
fn named(mut metadata: Metadata, request_id: String) -> Metadata {
    const KEY: &str = "tidegate.request-id";
    if metadata.iter().all(|(key, _)| key != KEY) {
        metadata.insert(0, (KEY.to_owned(), request_id));
    }
    metadata
}

/// The body of `what`, which is given as text or as base64.
fn body(what: &str, text: Option<String>, base64: Option<String>) -> Result<Option<Vec<u8>>, Problem> {
    match (text, base64) {
        (text, None) => Ok(text.map(String::into_bytes)),
        (None, Some(base64)) => decoded(&base64, "body_base64").map(Some),
        (Some(_), Some(_)) => Err(Problem::Malformed(format!("{what} has either body or body_base64"))),
    }
}

fn text_or_base64(bytes: Vec<u8>) -> (Option<String>, Option<String>) {
    match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(BASE64_STANDARD.encode(error.as_bytes()))),
    }
}

fn decoded(text: &str, name: &str) -> Result<Vec<u8>, Problem> {
    BASE64_STANDARD.decode(text).map_err(|error| Problem::Malformed(format!("{name} is no base64: {error}")))
}
