//! Errors as callers see them: the one mapping from what went wrong to a status, and its body as RFC 9457 has it.

use crate::config::REJECTED_TEXT_BYTES_MAX;
use crate::plugin::CallError;
use warp::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

/// Why a request gets no answer of a plugin.
#[derive(Debug)]
pub(super) enum Problem {
    /// The request is not of the right shape.
    Malformed(String),
    /// There is nothing at this path.
    NoRoute,
    /// There is something at this path, but not for this method.
    Method(&'static str),
    /// The body is longer than the bound in bytes.
    BodyTooLarge(usize),
    /// The body did not come.
    BodyTimeout,
    /// The plugin gave nothing to send.
    Call(CallError),
    /// The plugin returned a `content-type` that no header can carry.
    ContentType,
    /// The publish queue is full.
    QueueFull,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Call(CallError::NoRole(_)) => StatusCode::NOT_FOUND,
            Self::Call(CallError::Rejected(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Call(CallError::DeadlineExceeded(_)) => StatusCode::GATEWAY_TIMEOUT,
            Self::Call(CallError::EmptySlot | CallError::TooManyCalls(_) | CallError::Paused(_)) | Self::QueueFull => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Call(
                CallError::Failed(_)
                | CallError::Trapped(_)
                | CallError::OverMemory(_)
                | CallError::OverTable(_)
                | CallError::OverStack(_)
                | CallError::OverOutput(_)
                | CallError::TooManyReplies { .. }
                | CallError::DelayTooLong { .. }
                | CallError::NoFrames(_),
            )
            | Self::ContentType => StatusCode::BAD_GATEWAY,
        }
    }

    /// The host's own sentence. What a plugin says of its own fault is for the log alone.
    fn detail(&self) -> String {
        match self {
            Self::Malformed(detail) => detail.clone(),
            Self::NoRoute => "no plugin serves this path; GET / lists the routes".to_owned(),
            Self::Method(allowed) => format!("this path takes {allowed}"),
            Self::BodyTooLarge(bytes_max) => format!("the body is larger than body_bytes_max {bytes_max}"),
            Self::BodyTimeout => "the body did not arrive in time".to_owned(),
            Self::Call(CallError::NoRole(_)) => "the plugin does not serve HTTP".to_owned(),
            Self::Call(CallError::Rejected(text)) => {
                text[..text.floor_char_boundary(REJECTED_TEXT_BYTES_MAX)].to_owned()
            }
            Self::Call(CallError::Failed(_)) => "the plugin failed; the host's log says how".to_owned(),
            Self::Call(CallError::Trapped(_)) => "the plugin trapped; the host's log says where".to_owned(),
            Self::Call(error) => error.to_string(),
            Self::ContentType => "the plugin returned a content-type that is no header value".to_owned(),
            Self::QueueFull => "the publish queue is full; nothing was published".to_owned(),
        }
    }

    /// When a 503 is worth another try: at least a second, so that nobody hammers.
    fn retry_after_seconds(&self) -> u64 {
        match self {
            Self::Call(CallError::Paused(rest)) => rest.as_millis().div_ceil(1_000).max(1) as u64,
            _ => 1,
        }
    }

    pub(super) fn into_response(self) -> Response {
        let status = self.status();
        let body = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        let mut response = Response::new(body.to_string().into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(self.retry_after_seconds()));
        }
        if let Self::Method(allowed) = self {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        response
    }
}
