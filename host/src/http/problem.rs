//! Errors as callers see them: the one mapping from what went wrong to a status, and its body as RFC 9457 has it.

use crate::config::{
    ADMIN_LETTERS_READS_MAX, ADMIN_UPLOADS_MAX, LEDGER_MARKS_MAX, REFUSED_TEXT_BYTES_MAX, REJECTED_TEXT_BYTES_MAX,
};
use crate::flow::{Failure, Fault};
use crate::ledger::Reason;
use crate::plugin::CallError;
use bytes::Bytes;
use std::sync::LazyLock;
use warp::http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
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
    /// The bodies that are held have no more room within the bound of this name, such as `in_flight_bytes_max`.
    NoRoom(&'static str, usize),
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
    /// The sockets, flows and routes do not fit together, or cannot run; what ran before does still.
    NotReconfigured(String),
    /// The host writes no dead letters.
    NoLetters,
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
    /// What was asked for later took effect before the component was loaded.
    Superseded(String),
    /// The host has too much to do to load a component.
    TooBusy(String),
    /// The plugin is needed: it is the frontend's policy.
    NotUnloaded(String),
    /// As many components as may be are being taken in.
    TooManyUploads,
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

/// Marks an answer for whoever counts those that say [`Problem::NoRoom`].
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
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::NoAdminToken => StatusCode::UNAUTHORIZED,
            Self::Foreign(_) => StatusCode::FORBIDDEN,
            Self::NoRoute
            | Self::NoAdminRoute
            | Self::NoBroker
            | Self::NoFlow(_)
            | Self::NoLetters
            | Self::NoLetter(_)
            | Self::NoPlugin(_) => StatusCode::NOT_FOUND,
            Self::NotRolledBack(_) | Self::Superseded(_) | Self::NotUnloaded(_) | Self::NotReplayed(_) => {
                StatusCode::CONFLICT
            }
            Self::UnknownMark(_) => StatusCode::GONE,
            Self::Refused(_) | Self::NotReconfigured(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotPersisted(_) | Self::Host => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge(..) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong(_) => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Coding => StatusCode::NOT_IMPLEMENTED,
            Self::ContentCoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Failed(failure) => Self::status_of(failure.fault),
            Self::QueueFull(_)
            | Self::NotArrived(_)
            | Self::Overloaded
            | Self::TooManyRequests(_)
            | Self::NoRoom(..)
            | Self::TooManyUploads
            | Self::LettersBusy
            | Self::TooBusy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::ContentType | Self::BadResponse => StatusCode::BAD_GATEWAY,
        }
    }

    fn status_of(fault: Fault) -> StatusCode {
        match fault {
            Fault::Recipient => StatusCode::NOT_FOUND,
            Fault::Sender => StatusCode::UNPROCESSABLE_ENTITY,
            Fault::Late => StatusCode::GATEWAY_TIMEOUT,
            Fault::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Host => StatusCode::INTERNAL_SERVER_ERROR,
            Fault::Stage => StatusCode::BAD_GATEWAY,
        }
    }

    /// The host's own sentence. What a plugin says of its own fault is for the log alone.
    fn detail(&self) -> String {
        match self {
            Self::Malformed(detail) => detail.clone(),
            Self::NoRoute => "no plugin serves this path; GET / lists the routes".to_owned(),
            Self::Method(allowed) => format!("this path takes {allowed}"),
            Self::BodyTooLarge(name, bytes_max) => format!("the body is larger than {name} {bytes_max}"),
            Self::BodyTimeout => "the body did not arrive in time".to_owned(),
            Self::UriTooLong(bytes_max) => {
                format!("path and query are longer than uri_bytes_max {bytes_max}; send long text as the body of a POST")
            }
            Self::HeadTooLarge { bytes_max, headers_max } => {
                format!(
                    "request line and headers are longer than head_bytes_max {bytes_max}, or more than headers_max {headers_max}"
                )
            }
            Self::Coding => "the body has another transfer-encoding than chunked; send it as it is".to_owned(),
            Self::ContentCoding(coding) => format!(
                "the body has the content-encoding `{}`, and this path takes one of {}; send it so, or as it is",
                &coding[..coding.floor_char_boundary(REJECTED_TEXT_BYTES_MAX)],
                CODINGS
            ),
            Self::Overloaded => "more requests come in than can be answered soon; nothing was done for this one".to_owned(),
            Self::TooManyRequests(max) => format!("as many requests as may be are being answered: requests_max {max}"),
            Self::NoRoom(name, bytes_max) => format!(
                "the bodies of requests and answers have no more room within {name} {bytes_max}; nothing was done for this one"
            ),
            Self::Failed(Failure { public_detail, .. }) => {
                public_detail[..public_detail.floor_char_boundary(REJECTED_TEXT_BYTES_MAX)].to_owned()
            }
            Self::ContentType => "the plugin returned a content-type that is no header value".to_owned(),
            Self::BadResponse => "what the plugin returned is no response; the host's log says why".to_owned(),
            Self::QueueFull(sink) => format!("the {sink} queue is full; nothing was published"),
            Self::NotArrived(reason) => format!(
                "what came of the request did not arrive everywhere: {}; some of it may have",
                reason.as_str()
            ),
            Self::NoToken => "send `Authorization: Bearer TOKEN` with the token of http.token_file".to_owned(),
            Self::NoAdminToken => {
                "send `Authorization: Bearer TOKEN` with the token of admin.token_file; `tidegate plugin` reads it with \
                 --token-file FILE"
                    .to_owned()
            }
            Self::Foreign(sign) => {
                format!("{sign}: call from this machine as localhost or 127.0.0.1, or set admin.token_file and send its token")
            }
            Self::NoAdminRoute => "nothing is served at this path; GET /openapi.json describes what is".to_owned(),
            Self::NoBroker => {
                "this host has no frontend: start it with --frontend and a plugin that has the reply-policy role".to_owned()
            }
            Self::NoFlow(name) => format!("no flow is named {name}; GET /flows lists them"),
            Self::NotReconfigured(text) => text[..text.floor_char_boundary(REFUSED_TEXT_BYTES_MAX)].into(),
            Self::NoLetters => "this host writes no dead letters: set dead_letters.file".to_owned(),
            Self::NoLetter(id) => format!("no dead letter has the id {id}; GET /dead-letters lists them"),
            Self::LettersBusy => {
                format!("{ADMIN_LETTERS_READS_MAX} callers read the dead letters already; ask again later")
            }
            Self::UnknownMark(mark) => format!(
                "the mark {mark} is not known: the host was started anew, or more than {LEDGER_MARKS_MAX} answers have had \
                 marks since; begin again with the mark of GET /ledger"
            ),
            Self::NoPlugin(name) => format!("no plugin is named {name}; GET /plugins lists them"),
            Self::Refused(refusal) => refusal.reason[..refusal.reason.floor_char_boundary(REFUSED_TEXT_BYTES_MAX)].into(),
            Self::NotRolledBack(text)
            | Self::Superseded(text)
            | Self::TooBusy(text)
            | Self::NotUnloaded(text)
            | Self::NotReplayed(text) => text.clone(),
            Self::TooManyUploads => {
                format!("{ADMIN_UPLOADS_MAX} components are being loaded already; send this one again later")
            }
            Self::NotPersisted(text) => format!("the component serves until the host ends, but is not persisted: {text}"),
            Self::Host => "the host failed; its log says how".to_owned(),
        }
    }

    /// When a 503 is worth another try: at least a second, so that nobody hammers.
    fn retry_after_seconds(&self) -> u64 {
        match self {
            Self::Failed(Failure { retry_after: Some(rest), .. }) => rest.as_millis().div_ceil(1_000).max(1) as u64,
            _ => 1,
        }
    }

    /// The body of the answer.
    pub(super) fn body(&self) -> Bytes {
        let status = self.status();
        let mut body = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        if let Self::Refused(RefusedComponent { plugin, stage, .. }) = self {
            body["plugin"] = plugin.as_str().into();
            body["stage"] = (*stage).into();
        }
        body.to_string().into()
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
            Self::ContentCoding(_) => headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS)),
            Self::NoToken | Self::NoAdminToken => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            _ => None,
        };
        if matches!(self, Self::NoRoom(..)) {
            response.extensions_mut().insert(OverBytes);
        }
        response
    }
}
