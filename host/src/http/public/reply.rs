//! What becomes of what came out of a route: a place in each sink for all of it, then an answer.

use super::TEXT;
use crate::byte_budget::Held;
use crate::config::BODY_BYTES_UNCOUNTED;
use crate::flow::{Message, Outputs};
use crate::http::answer::with_type;
use crate::http::problem::Problem;
use crate::http::route::FoundRoute;
use crate::ledger::{Passage, Reason};
use warp::http::{HeaderValue, Method, StatusCode};
use warp::reply::Response;

/// The first message is the answer, and all go to the route's sinks. A HEAD sends nothing there.
///
/// # Errors
/// When the first message cannot be an answer, or not every sink takes every message.
pub(super) async fn reply(
    route: &FoundRoute,
    method: &Method,
    outputs: Outputs,
    passage: Passage,
    mut room: Held,
) -> Result<Response, Problem> {
    let mut messages: Vec<Message> = outputs.into_iter().map(|output| output.message).collect();
    messages.iter_mut().for_each(|message| keep(message, &mut room));
    drop(room);
    let response = match messages.first().map(response).unwrap_or_else(|| Ok(nothing())) {
        Ok(response) => response,
        Err(problem) => {
            passage.dropped(Reason::BadResponse);
            return Err(problem);
        }
    };
    match *method == Method::HEAD {
        true => passage.out(),
        false => route.send(&messages, passage).await?,
    }
    Ok(response)
}

/// The answer that a message is: its last frame, of the type that it names.
fn response(message: &Message) -> Result<Response, Problem> {
    let content_type = message.metadata.iter().rfind(|(key, _)| key == "content-type");
    let content_type = match content_type {
        Some((_, text)) => HeaderValue::from_str(text).map_err(|_| Problem::ContentType)?,
        None => TEXT,
    };
    // The answer and the sinks have the same bytes, however many.
    Ok(with_type(message.frames.last().cloned().unwrap_or_default(), content_type))
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
