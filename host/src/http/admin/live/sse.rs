//! Server-sent events of the admin surface: answers that go on until either side ends them.

use crate::http::answer::with_type;
use crate::http::problem::Problem;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use warp::Reply;
use warp::http::header::CONTENT_TYPE;
use warp::http::{HeaderValue, Method};
use warp::reply::Response;

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// An event of this name, whose data are JSON on one line.
pub(in crate::http::admin) fn event(name: &str, data: &impl Serialize) -> Bytes {
    // A value in memory is always JSON.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// An answer of these events; to a HEAD, which only asks whether there would be any, one of none.
pub(in crate::http::admin) fn answer(
    method: &Method,
    events: impl FnOnce() -> Result<BoxStream<'static, Result<Bytes, Infallible>>, Problem>,
) -> Result<Response, Problem> {
    if method == Method::HEAD {
        return Ok(with_type(Bytes::new(), EVENT_STREAM));
    }
    let mut response = warp::reply::stream(Events(Mutex::new(events()?))).into_response();
    response.headers_mut().insert(CONTENT_TYPE, EVENT_STREAM);
    Ok(response)
}

/// A body that is read by one alone, as all are: what is shared between threads by a reference takes no part in that.
struct Events(Mutex<BoxStream<'static, Result<Bytes, Infallible>>>);

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}
