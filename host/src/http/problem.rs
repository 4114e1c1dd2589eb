//! Errors as callers see them: the one mapping from what went wrong to a status, and its body as RFC 9457 has it.

mod detail;
mod status;

use crate::flow::Failure;
use crate::ledger::Reason;
use crate::plugin::CallError;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::LazyLock;
use warp::http::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

/// The content codings that a body may have where a route takes any.
const CODINGS: &str = "gzip, zstd";

/// Why a request gets no answer of a plugin.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The request is not of the right shape: a parameter is missing, doubled or cannot be decoded; there is no `Host`,
    /// or two, or a wrong one; or the head is no HTTP.
    Malformed(String),
    /// No plugin serves this path.
    NoRoute,
    /// There is something at this path, but not for this method.
    Method(&'static str),
    /// The body is over the bound of this name, such as `body_bytes_max`.
    BodyTooLarge(&'static str, usize),
    /// The body did not come in time.
    BodyTimeout,
    /// Path and query are over `uri_bytes_max`.
    UriTooLong(usize),
    /// Request line and headers are over `head_bytes_max`, or more than `headers_max`.
    HeadTooLarge { bytes_max: usize, headers_max: usize },
    /// The body has a transfer coding beside `chunked`.
    Coding,
    /// The body has another content coding than those that the route takes.
    ContentCoding(String),
    /// Requests wait for longer than `queue_delay_ms_max` as it is.
    Overloaded,
    /// As many requests as may be, `requests_max`, are being answered.
    TooManyRequests(usize),
    /// As many streams of events as may be, `events.streams_max`, are open.
    TooManyStreams(usize),
    /// The bodies that are held have no more room within the bound of this name, such as `in_flight_bytes_max`.
    NoRoom(&'static str, usize),
    /// What came out has no more room within that bound.
    NoRoomForAnswer(&'static str, usize),
    /// Nothing came out of what the request was for.
    Failed(Failure),
    /// The plugin returned a `content-type` that no header can carry.
    ContentType,
    /// The plugin returned a status or a header that no response may have.
    BadResponse,
    /// The queue of the sink of this name is full.
    QueueFull(String),
    /// A sink lost a message that it had taken.
    NotArrived(Reason),
    /// What came of a request can never be stored where it is to be: it is too large, or has no subject there.
    NotStorable(Reason),
    /// As many WebSockets as may be, `websockets_max`, are open.
    TooManyWebSockets(usize),
    /// The request for a WebSocket came by HTTP/2.
    WebSocketVersion,
    /// The request for a WebSocket is for another version of the protocol, or for none.
    NoWebSocketVersion13,
    /// The request for a WebSocket comes from the page of an origin that is not let in.
    ForeignOrigin,
    /// The caller did not show the token of `http.token_file`.
    NoToken,
    /// The caller did not show the token of `admin.token_file`.
    NoAdminToken,
    /// The request may come from a web page, of which the text is a sign.
    Foreign(&'static str),
    /// There is nothing at this path of the admin surface.
    NoAdminRoute,
    /// The host has no broker.
    NoBroker,
    /// There is no flow of this name.
    NoFlow(String),
    /// There is no pool of workers of this name.
    NoPool(String),
    /// The pool has no worker of this number.
    NoWorker { pool: String, worker: String },
    /// The pool does not say how it does.
    PoolSilent { name: String, cause: String },
    /// The sockets, flows and routes do not fit together, or cannot run; what ran before does still.
    NotReconfigured(String),
    /// Nothing is shown of the messages that go by.
    TailOff,
    /// There is no route of this name.
    NoRouteNamed(String),
    /// As many watch messages go by as may.
    TooManyTails,
    /// The host writes no dead letters.
    NoLetters,
    /// The host captures nothing.
    CapturesOff(String),
    /// There is no flow, route or policy of the name that is to be captured.
    NothingToCapture(String),
    /// As many captures run as may.
    TooManyCaptures(String),
    /// The file of a capture cannot be written.
    NotCaptured(String),
    /// There is no capture of this name.
    NoCapture(String),
    /// No shadow stands beside the plugin or flow of this name.
    NoShadow(String),
    /// No shadow can stand beside a plugin or flow.
    NotShadowed(String),
    /// A shadow does not serve.
    NotPromoted(String),
    /// There is no dead letter of a request of this name.
    NoLetter(String),
    /// The call of a dead letter is not made again.
    NotReplayed(String),
    /// As many callers as may read the files of dead letters.
    LettersBusy,
    /// The mark of the ledger is of another run of the host, or too old.
    UnknownMark(String),
    /// There is no plugin of this name.
    NoPlugin(String),
    /// The component did not pass a stage of loading; what served before serves on.
    Refused(RefusedComponent),
    /// The plugin has no earlier generation, or not the one that is asked for.
    NotRolledBack(String),
    /// There is no file whose component could carry further examples.
    NoExamples(String),
    /// There is nothing to pause.
    NotHeld(String),
    /// What was asked for later took effect before the component was loaded.
    Superseded(String),
    /// The host has too much to do to load a component.
    TooBusy(String),
    /// The plugin is needed: it is the frontend's policy.
    NotUnloaded(String),
    /// As many components as may be are being taken in.
    TooManyUploads,
    /// As many callers as may watch what changes.
    TooManyWatchers,
    /// The component serves, but could not be written to its source.
    NotPersisted(String),
    /// The host failed at what it was asked for.
    Host,
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        Self::Failed(error.into())
    }
}

/// Marks an answer for whoever counts those that say [`Problem::NoRoom`], or that there is none for what came out.
#[derive(Clone)]
pub(super) struct OverBytes;

/// A component that was not loaded.
#[derive(Debug)]
pub(crate) struct RefusedComponent {
    /// The plugin that it was meant for.
    pub plugin: String,
    /// The stage that refused it.
    pub stage: &'static str,
    /// Why.
    pub reason: String,
}

impl Problem {
    /// When a 503 is worth another try: at least a second, so that nobody hammers.
    fn retry_after_seconds(&self) -> u64 {
        match self {
            Self::Failed(Failure { retry_after: Some(rest), .. }) => rest.as_millis().div_ceil(1_000).max(1) as u64,
            _ => 1,
        }
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> Bytes {
        self.members().to_string().into()
    }

    fn members(&self) -> Value {
        let status = self.status();
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        if let Self::Refused(RefusedComponent { plugin, stage, .. }) = self {
            body["plugin"] = plugin.as_str().into();
            body["stage"] = (*stage).into();
        }
        body
    }

    /// With further members in its body, which must not be the own ones of a problem.
    pub(super) fn into_response_with(self, further: &impl Serialize) -> Response {
        let mut members = self.members();
        if let (Value::Object(members), Ok(Value::Object(further))) = (&mut members, serde_json::to_value(further)) {
            members.extend(further);
        }
        let (parts, _) = self.into_response().into_parts();
        Response::from_parts(parts, Bytes::from(members.to_string()).into())
    }

    pub(super) fn into_response(self) -> Response {
        // Whoever has too much to do does not write the same sentence again and again.
        static OVERLOADED: LazyLock<Bytes> = LazyLock::new(|| Problem::Overloaded.body());
        let status = self.status();
        let body = match self {
            Self::Overloaded => OVERLOADED.clone(),
            _ => self.body(),
        };
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after_seconds()));
        }
        match self {
            Self::Method(allowed) => headers.insert(ALLOW, HeaderValue::from_static(allowed)),
            Self::NoWebSocketVersion13 => {
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"))
            }
            Self::ContentCoding(_) => headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS)),
            Self::NoToken | Self::NoAdminToken => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            _ => None,
        };
        if matches!(self, Self::NoRoom(..) | Self::NoRoomForAnswer(..)) {
            response.extensions_mut().insert(OverBytes);
        }
        response
    }
}
