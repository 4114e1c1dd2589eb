//! What becomes of what came out of a route: a place in each sink for all of it, then an answer.

use super::Public;
use super::response::answer_of;
use crate::byte_budget::Held;
use crate::config::BODY_BYTES_UNCOUNTED;
use crate::flow::{Message, Metadata, Outputs};
use crate::http::problem::Problem;
use crate::http::route::FoundRoute;
use crate::http::server::head::Head;
use crate::ledger::{Passage, Reason};
use smallvec::SmallVec;
use warp::http::{Method, StatusCode};
use warp::reply::Response;

/// By which a client says that a request is one that it has made before.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The first message is the answer, and all go to the route's sinks. A HEAD sends nothing there.
///
/// # Errors
/// When the first message cannot be an answer, or not every sink takes every message.
pub(super) async fn reply(
    public: &Public,
    route: &FoundRoute,
    (head, asked): (&Head, &Metadata),
    outputs: Outputs,
    passage: Passage,
    mut room: Held,
) -> Result<Response, Problem> {
    let mut messages: SmallVec<[Message; 1]> = outputs.into_iter().map(|output| output.message).collect();
    messages.iter_mut().for_each(|message| keep(message, &mut room));
    drop(room);
    let first = messages.first().map(|message| answer_of(route, message, asked, &head.id));
    let answer = match first.transpose() {
        Ok(answer) => answer,
        Err(problem) => {
            passage.dropped(Reason::BadResponse);
            return Err(problem);
        }
    };
    match head.parts.method == Method::HEAD {
        true => passage.out(),
        false => {
            if let Some(name) = stored_name(route, head, &messages) {
                name_messages(&mut messages, &name, 0);
            }
            route.send(&messages, passage).await?;
        }
    }
    let Some((mut parts, body)) = answer else { return Ok(nothing()) };
    drop(messages);
    let body = public.compressed(route, head, (parts.status, &mut parts.headers), body).await;
    Ok(Response::from_parts(parts, body.into()))
}

/// How the messages of a request are called where they are stored: a request that is made again with the same key, and comes to
/// the same, is known by it. `first` begins with the first of them; none where there are none, or nothing is stored.
pub(super) fn stored_name(route: &FoundRoute, head: &Head, first: &[Message]) -> Option<String> {
    let frames = &first.first().filter(|_| route.stores())?.frames;
    let key = head.parts.headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok());
    let named = |key| {
        // Another client may have taken the same key.
        let mut hash = blake3::Hasher::new();
        for frame in frames {
            hash.update(frame);
        }
        format!("{}/{key}/{}", route.name(), hash.finalize().to_hex())
    };
    Some(key.map_or_else(|| head.id.clone(), named))
}

/// Has messages of a request be known by its name and their numbers, of which the first is this.
pub(super) fn name_messages(messages: &mut [Message], name: &str, first: usize) {
    messages.iter_mut().enumerate().for_each(|(index, message)| message.set_stored_name(name, first + index));
}

/// The answer where no message came out.
pub(super) fn nothing() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Has the large frames of a message hold their part of the room until they are sent.
pub(super) fn keep(message: &mut Message, room: &mut Held) {
    for frame in message.frames.iter_mut().filter(|frame| frame.len() > BODY_BYTES_UNCOUNTED) {
        *frame = room.split(frame.len()).keep(std::mem::take(frame));
    }
}
