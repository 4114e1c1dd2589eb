//! What the answers of both surfaces have in common.

use crate::flow::{Met, ServedBy};
use bytes::Bytes;
use warp::http::header::{CONTENT_TYPE, HeaderName, InvalidHeaderValue};
use warp::http::{HeaderMap, HeaderValue};
use warp::reply::Response;

/// 200 with a body of a type.
pub(super) fn with_type(body: impl Into<Bytes>, content_type: HeaderValue) -> Response {
    let body: Bytes = body.into();
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The headers by which an answer says who gave it, and when to ask again.
pub(super) const WHO_HEADERS: [&str; 7] = [
    "tidegate-request",
    "tidegate-plugin",
    "tidegate-generation",
    "tidegate-digest",
    "tidegate-artifact",
    "tidegate-through",
    "retry-after",
];

/// Says which plugin gave the result.
pub(super) fn say_who(headers: &mut HeaderMap, by: &ServedBy) {
    let mut say = |name: &'static str, value: Result<HeaderValue, InvalidHeaderValue>| {
        if let Ok(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    say("tidegate-plugin", HeaderValue::from_str(&by.plugin));
    say("tidegate-generation", HeaderValue::try_from(by.generation.to_string()));
    say("tidegate-digest", HeaderValue::from_str(&by.digest));
    if let Some(artifact) = &by.artifact {
        say("tidegate-artifact", HeaderValue::from_str(artifact));
    }
}

/// Says what was called: the last one as [`say_who`] does, if it is a plugin, and of several or others all of them.
pub(super) fn say_met(headers: &mut HeaderMap, met: &Met) {
    if let Some(last) = met.last() {
        say_who(headers, last);
    }
    if !met.is_said_by_last()
        && let Ok(all) = HeaderValue::try_from(met.joined(", "))
    {
        headers.insert("tidegate-through", all);
    }
}
