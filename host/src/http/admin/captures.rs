//! Captures, as the operator begins and ends them.

use super::{BODY_TIMEOUT, json};
use crate::config::ADMIN_CAPTURE_BYTES_MAX;
use crate::http::problem::Problem;
use crate::http::server::body;
use crate::record::capture::{Asked, Captures, StartCaptureError};
use bytes::Buf;
use futures_util::Stream;
use std::pin::Pin;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

/// Begins a capture of what the body asks for; of everything where it is empty.
///
/// # Errors
/// When that makes no sense, as many run as may, or its file cannot be written.
pub(super) async fn start<B: Buf>(
    captures: &Captures,
    headers: &HeaderMap,
    body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
) -> Result<Response, Problem> {
    let bound = ("the bound of what is asked for,", ADMIN_CAPTURE_BYTES_MAX);
    let bytes = body::read(headers, body, bound, BODY_TIMEOUT).await?;
    let asked = match bytes.is_empty() {
        true => Asked::default(),
        false => serde_json::from_slice(&bytes).map_err(|error| Problem::Malformed(format!("the body: {error}")))?,
    };
    let captures = captures.clone();
    let started = tokio::task::spawn_blocking(move || captures.start(asked)).await.map_err(|_| Problem::Host)?;
    let status = started.map_err(|error| match error {
        StartCaptureError::Off => Problem::CapturesOff(error.to_string()),
        StartCaptureError::Wrong(what) => Problem::Malformed(what),
        StartCaptureError::TooMany => Problem::TooManyCaptures(error.to_string()),
        StartCaptureError::Failed(what) => Problem::NotCaptured(what),
    })?;
    let mut response = json(&status)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Ends a capture, and says what it has.
///
/// # Errors
/// When there is none of this name.
pub(super) async fn stop(captures: &Captures, id: String) -> Result<Response, Problem> {
    match captures.stop(&id).await {
        Some(status) => json(&status),
        None => Err(Problem::NoCapture(id)),
    }
}
