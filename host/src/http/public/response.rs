//! The response that a message of a plugin is: its last frame, with the status and the headers that it names.

use super::TEXT;
use crate::flow::{HTTP_STATUS, Message, Metadata};
use crate::http::problem::Problem;
use crate::http::route::FoundRoute;
use crate::plugin::handler_fields;
use bytes::Bytes;
use std::ops::RangeInclusive;
use warp::http::header::CONTENT_TYPE;
use warp::http::response::Parts;
use warp::http::{HeaderName, HeaderValue, StatusCode};

const HEADER: &str = "http.header.";
const STATUSES: RangeInclusive<u16> = 200..=599;

/// Why a message is no response: the plugin's fault, for the operator to read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoResponse {
    #[error("its content-type `{0}` is no header value")]
    ContentType(String),
    #[error("its http.status `{0}` is no number from 200 to 599")]
    Status(String),
    #[error("its http.header.{0} is not allowed: list {0} in response_headers of [routes.{1}], or leave it out")]
    NotAllowed(String, String),
    #[error("its http.header.{0} `{1}` is no header value")]
    Header(String, String),
}

/// As [`response`]. What is wrong is logged.
///
/// # Errors
/// When the message is no response.
pub(super) fn answer_of(
    route: &FoundRoute,
    message: &Message,
    asked: &Metadata,
    request_id: &str,
) -> Result<(Parts, Bytes), Problem> {
    response(route, message, asked).map_err(|error| {
        route.last().log_no_response(&error.to_string(), request_id);
        match error {
            NoResponse::ContentType(_) => Problem::ContentType,
            _ => Problem::BadResponse,
        }
    })
}

/// Whether such a response has no body.
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
}

/// The response, of which `asked` is what the plugins were told of the request's headers: a pair that comes back as it
/// went in says nothing of the response. A transform of version 0.1.0 says of it only its type. Workers are no plugins, which
/// know their route: of theirs it takes the headers that it lists.
fn response(route: &FoundRoute, message: &Message, asked: &Metadata) -> Result<(Parts, Bytes), NoResponse> {
    let (mut parts, ()) = warp::http::Response::new(()).into_parts();
    let content_type = message.metadata.iter().rfind(|(key, _)| key == "content-type");
    let content_type = match content_type {
        Some((_, text)) => HeaderValue::from_str(text).map_err(|_| NoResponse::ContentType(text.clone()))?,
        None => TEXT,
    };
    if route.last().speaks_http() {
        let allowed = &route.options().response_headers;
        let takes_listed = route.last().slot().is_none();
        for pair in message.metadata.iter().filter(|pair| takes_listed || !asked.contains(pair)) {
            match set(&mut parts, pair, (route.name(), allowed)) {
                Err(NoResponse::NotAllowed(..)) if takes_listed => {}
                set => set?,
            }
        }
        handler_fields::for_client(&mut parts.headers);
    }
    if is_bodiless(parts.status) {
        return Ok((parts, Bytes::new()));
    }
    parts.headers.insert(CONTENT_TYPE, content_type);
    // The response has the same bytes as the sinks, however many.
    Ok((parts, message.frames.last().cloned().unwrap_or_default()))
}

fn set(
    parts: &mut Parts,
    (key, text): &(String, String),
    (route, allowed): (&str, &[HeaderName]),
) -> Result<(), NoResponse> {
    if key == HTTP_STATUS {
        let status = text.parse().ok().filter(|status| STATUSES.contains(status));
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        parts.status = status.ok_or_else(|| NoResponse::Status(text.clone()))?;
    } else if let Some(name) = key.strip_prefix(HEADER) {
        let known = allowed.iter().find(|known| known.as_str().eq_ignore_ascii_case(name));
        let known = known.ok_or_else(|| NoResponse::NotAllowed(name.to_owned(), route.to_owned()))?;
        let value = HeaderValue::from_str(text).map_err(|_| NoResponse::Header(name.to_owned(), text.clone()))?;
        parts.headers.append(known, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(pairs: &[(&str, &str)]) -> Result<Parts, String> {
        let (mut parts, ()) = warp::http::Response::new(()).into_parts();
        let allowed = ["x-a", "set-cookie"].map(HeaderName::from_static);
        for (key, text) in pairs {
            let pair = ((*key).to_owned(), (*text).to_owned());
            set(&mut parts, &pair, ("r", &allowed)).map_err(|error| error.to_string())?;
        }
        Ok(parts)
    }

    #[test]
    fn a_plugin_sets_the_status_and_the_headers_that_are_allowed() {
        let pairs = [("http.status", "201"), ("http.header.X-A", "1"), ("http.header.set-cookie", "a=1")];
        let parts =
            parts_of(&[&pairs[..], &[("http.header.set-cookie", "b=2"), ("own", "x")]].concat()).expect("parts");
        assert_eq!(
            (parts.status.as_u16(), &parts.headers["x-a"], parts.headers.len()),
            (201, &"1".parse().unwrap(), 3)
        );
    }

    #[test]
    fn what_is_no_response_is_said_with_a_remedy() {
        for (pair, said) in [
            (("http.status", "199"), "`199` is no number from 200 to 599"),
            (("http.status", "600"), "`600`"),
            (("http.status", "ok"), "`ok`"),
            (("http.header.x-b", "1"), "list x-b in response_headers of [routes.r]"),
            (("http.header.x-a", "a\r\nb: c"), "is no header value"),
        ] {
            let error = parts_of(&[pair]).expect_err("no response");
            assert!(error.contains(said), "{error}");
        }
    }
}
