//! A call of a plugin for trying it out: JSON in, what it returned as JSON out; nothing is published or sent.

pub(super) mod chain;
pub(super) mod component;
mod message;
mod serve;
mod trial;

use super::json;
use crate::config::IDENTITY_BYTES_MAX;
use crate::flow::{self, Metadata, Outputs, ServedBy};
use crate::http::answer::say_who;
use crate::http::problem::Problem;
use crate::plugin::{
    Answer, CallNumber, Contract, Processor, ReplyPolicy, Role, Slot, WholeResponse, WrittenRequest, written_example,
};
use bytes::Bytes;
use message::{Framed, Message, Reply, TopicAndBody, body, decoded, given_frames, named, text_or_base64};
use serde::{Deserialize, Serialize};
use trial::{Trial, TrialReport};
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

/// What came of a call, and what there is to report of it.
#[derive(Serialize)]
struct Returned<R> {
    #[serde(flatten)]
    by: Option<Who>,
    #[serde(flatten)]
    output: Output,
    #[serde(flatten)]
    report: Option<R>,
}

/// Which generation of which plugin was called.
#[derive(Serialize)]
struct Who {
    plugin: String,
    generation: u64,
    digest: String,
}

impl From<&ServedBy> for Who {
    fn from(ServedBy { plugin, generation, digest, .. }: &ServedBy) -> Self {
        Self { plugin: plugin.clone(), generation: *generation, digest: digest.clone() }
    }
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub(super) enum Output {
    /// No message: the plugin filtered it.
    Transform { message: Option<TopicAndBody> },
    /// Any number of messages.
    Processor { messages: Vec<Framed> },
    /// Any number of replies.
    ReplyPolicy { replies: Vec<Reply> },
    /// As a client would get it.
    HttpHandler { response: HttpResponse },
}

/// What a body asks for.
pub(super) enum Input {
    Message(flow::Message),
    Request(flow::Message),
    Http(WrittenRequest),
}

impl Input {
    /// What a body says is to be called with what.
    ///
    /// # Errors
    /// When it describes no call.
    pub(super) fn read(body: &[u8], request_id: String) -> Result<Self, Problem> {
        let call: Call = serde_json::from_slice(body)
            .map_err(|error| Problem::Malformed(format!("the body is no call: {error}")))?;
        match (call.role.as_deref(), call.message, call.request, call.http_request) {
            (None | Some("transform" | "processor"), Some(message), None, None) => {
                message.read(request_id).map(Self::Message)
            }
            (None | Some("reply-policy"), None, Some(request), None) => request.read(request_id).map(Self::Request),
            (None | Some("http-handler"), None, None, Some(request)) => request.read().map(Self::Http),
            _ => Err(Problem::Malformed(
                "a call has either a message (role processor, or transform), a request (role reply-policy) or an \
                 http_request (role http-handler)"
                    .to_owned(),
            )),
        }
    }
}

/// Calls the plugin to try it. `number` is that of the trial: the call is for no message of the traffic.
///
/// # Errors
/// When the input is none that the role takes.
pub(super) async fn answer(
    slot: &Slot,
    input: Input,
    request_id: String,
    number: CallNumber,
) -> Result<Response, Problem> {
    let trial = Trial::begin(slot.keep_log(number));
    match input {
        Input::Message(message) => {
            let input = slot.input::<Processor>(message.clone());
            let answer = slot.call::<Processor>(input.clone(), input.request_id(), number).await;
            let report = trial.report(written_example::of_message(&message, &answer.result));
            report.answer(answer, |outputs| Output::processed(slot.contract_of(Processor::NAME), outputs))
        }
        Input::Request(request) => {
            let input = slot.input::<ReplyPolicy>(request.clone());
            let answer = slot.call::<ReplyPolicy>(input.clone(), input.request_id(), number).await;
            trial.report(written_example::of_request(&request, &answer.result)).answer(answer, Output::replied)
        }
        Input::Http(request) => {
            let written = request.clone();
            let checked = request.checked(request_id.as_str()).map_err(Problem::Malformed)?;
            let answer = slot.call::<WholeResponse>(checked, &request_id, number).await;
            let report = trial.report(written_example::of_http(&written, &answer.result));
            report.answer(answer, |response| Output::HttpHandler { response: response.into() })
        }
    }
}

impl Output {
    /// What a processor returned, or another stage. One of version 0.1.0, which has a topic and a body, is shown as a
    /// transform.
    pub(super) fn processed(contract: Option<Contract>, outputs: Outputs) -> Self {
        let is_transform = contract == Some(Contract::V0_1_0);
        match &outputs[..] {
            [] if is_transform => Self::Transform { message: None },
            // It may have been swapped since for one that returns others.
            [flow::Output { message, .. }] if is_transform && message.frames.len() <= 2 => {
                Self::Transform { message: TopicAndBody::of(message) }
            }
            outputs => Self::Processor { messages: outputs.iter().map(|output| Framed::of(&output.message)).collect() },
        }
    }

    pub(super) fn replied(outputs: Outputs) -> Self {
        Self::ReplyPolicy { replies: outputs.iter().map(Reply::of).collect() }
    }
}

impl HttpRequest {
    fn read(self) -> Result<WrittenRequest, Problem> {
        let Self { method, path, headers, body: text, body_base64 } = self;
        Ok(WrittenRequest { method, path, headers, body: body("an http_request", text, body_base64)? })
    }
}

impl Request {
    fn read(self, request_id: String) -> Result<flow::Message, Problem> {
        let identity = match &self.identity_base64 {
            Some(text) => decoded(text, "identity_base64")?,
            None => IDENTITY.to_owned(),
        };
        if identity.is_empty() || identity.len() > IDENTITY_BYTES_MAX {
            return Err(Problem::Malformed(format!("identity_base64 is not 1 to {IDENTITY_BYTES_MAX} bytes")));
        }
        let frames = given_frames("a request", self.frames, self.frames_base64)?;
        let frames = std::iter::once(identity).chain(frames).map(Bytes::from).collect();
        Ok(flow::Message { metadata: named(self.metadata, request_id), frames, ..flow::Message::default() })
    }
}

impl From<warp::http::Response<Bytes>> for HttpResponse {
    fn from(response: warp::http::Response<Bytes>) -> Self {
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let status = response.status().as_u16();
        let (body, body_base64) = text_or_base64(response.body());
        Self { status, headers, body, body_base64 }
    }
}

/// Says in the answer, or in the headers of a failure, which generation of which plugin was called.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn with_generation<T>(
    Answer { by, result }: Answer<T>,
    output: impl FnOnce(T) -> Output,
) -> Result<Response, Problem> {
    served(by.as_deref(), result.map_err(Problem::from), output, None)
}

/// As [`with_generation`], of a result that did not come from one call alone, and where no plugin may have been called last;
/// with the report of the call, if it was a trial.
///
/// # Errors
/// As [`with_generation`].
pub(super) fn served<T>(
    by: Option<&ServedBy>,
    result: Result<T, Problem>,
    output: impl FnOnce(T) -> Output,
    report: Option<TrialReport>,
) -> Result<Response, Problem> {
    let mut response = match (result, report) {
        (Ok(returned), report) => json(&Returned { by: by.map(Who::from), output: output(returned), report })?,
        (Err(problem), None) => problem.into_response(),
        (Err(problem), Some(report)) => problem.into_response_with(&report),
    };
    if let Some(by) = by {
        say_who(response.headers_mut(), by);
    }
    Ok(response)
}
