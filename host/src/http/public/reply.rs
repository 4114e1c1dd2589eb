//! What becomes of what came out of a route: a place in each sink for all of it, then an answer.

use super::{Public, TEXT};
use crate::byte_budget::Held;
use crate::config::BODY_BYTES_UNCOUNTED;
use crate::flow::{Message, Outputs};
use crate::http::coding::Wanted;
use crate::http::problem::Problem;
use crate::http::route::FoundRoute;
use crate::http::server::head::Head;
use crate::ledger::{Passage, Reason};
use bytes::Bytes;
use warp::http::header::CONTENT_TYPE;
use warp::http::response::Parts;
use warp::http::{HeaderValue, Method, StatusCode};
use warp::reply::Response;

/// The first message is the answer, and all go to the route's sinks. A HEAD sends nothing there.
///
/// # Errors
/// When the first message cannot be an answer, or not every sink takes every message.
pub(super) async fn reply(
    public: &Public,
    route: &FoundRoute,
    head: &Head,
    outputs: Outputs,
    passage: Passage,
    mut room: Held,
) -> Result<Response, Problem> {
    let mut messages: Vec<Message> = outputs.into_iter().map(|output| output.message).collect();
    messages.iter_mut().for_each(|message| keep(message, &mut room));
    drop(room);
    let answer = match messages.first().map(answer).transpose() {
        Ok(answer) => answer,
        Err(problem) => {
            passage.dropped(Reason::BadResponse);
            return Err(problem);
        }
    };
    match head.parts.method == Method::HEAD {
        true => passage.out(),
        false => route.send(&messages, passage).await?,
    }
    let Some((mut parts, body)) = answer else { return Ok(nothing()) };
    drop(messages);
    let wanted = if route.options().compress { Wanted::of(&head.parts.headers) } else { None };
    let body = public.compressed(route, wanted, (parts.status, &mut parts.headers), body).await;
    Ok(Response::from_parts(parts, body.into()))
}

/// The answer that a message is: its last frame, of the type that it names. It has the same bytes as the sinks, however
/// many.
fn answer(message: &Message) -> Result<(Parts, Bytes), Problem> {
    let content_type = message.metadata.iter().rfind(|(key, _)| key == "content-type");
    let content_type = match content_type {
        Some((_, text)) => HeaderValue::from_str(text).map_err(|_| Problem::ContentType)?,
        None => TEXT,
    };
    let (mut parts, ()) = warp::http::Response::new(()).into_parts();
    parts.headers.insert(CONTENT_TYPE, content_type);
    Ok((parts, message.frames.last().cloned().unwrap_or_default()))
}

fn nothing() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Has the large frames of a message hold their part of the room until they are sent.
fn keep(message: &mut Message, room: &mut Held) {
    for frame in message.frames.iter_mut().filter(|frame| frame.len() > BODY_BYTES_UNCOUNTED) {
        *frame = room.split(frame.len()).keep(std::mem::take(frame));
    }
}
