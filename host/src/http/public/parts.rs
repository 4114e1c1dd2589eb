//! A request of a route that leads through a stage of the host's own, such as a pool of workers: its answer may come in
//! parts, each of which goes to the sinks and to the client as it comes.

use super::reply::{keep, name_messages, nothing, reply, stored_name};
use super::response::{answer_of, is_bodiless};
use super::{Public, letter, stamped};
use crate::byte_budget::Held;
use crate::config::BODY_BYTES_UNCOUNTED;
use crate::flow::{Failure, Message, Metadata, Output, Outputs, Passed};
use crate::http::problem::Problem;
use crate::http::route::{Begun, FoundRoute, Ran};
use crate::http::server::body::InFlightBudget;
use crate::http::server::head::Head;
use crate::ledger::{Passage, Reason};
use crate::record::dead_letters::DeadLetters;
use bytes::Bytes;
use futures_util::stream::{BoxStream, empty, unfold};
use futures_util::{Stream, StreamExt};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use warp::Reply;
use warp::http::Method;
use warp::http::response::Parts;
use warp::reply::Response;

/// An answer that had begun was not whole. The ledger says why, and the dead letter where a step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what was still to come of the answer did not come")]
struct CutShort;

/// What is still to come of an answer.
struct Rest {
    further: BoxStream<'static, Passed>,
    route: FoundRoute,
    number: u64,
    /// Ends with the answer, whichever way that does.
    passage: Option<Passage>,
    in_flight: InFlightBudget,
    letters: DeadLetters,
    /// By which its messages are known where they are stored, with their numbers; none where nothing is.
    stored_name: Option<String>,
    /// How many messages were sent.
    sent: usize,
}

impl Public {
    /// Has the steps of the route process a message, and answers as soon as something has come out of them.
    pub(super) async fn answer_in_parts(&self, route: &FoundRoute, head: &Head, message: Message) -> Response {
        let method = &head.parts.method;
        let asked = if route.options().headers.is_empty() { Metadata::new() } else { message.metadata.clone() };
        let is_idempotent = [Method::GET, Method::HEAD, Method::PUT].contains(method);
        let Begun { ran: Ran { met, number, result }, further } =
            route.begin(&self.table, message, is_idempotent).await;
        let answer = match (result, further) {
            (Ok((outputs, passage)), None) => match self.room_for(route, &outputs) {
                Ok(room) => reply(self, route, (head, &asked), outputs, passage, room).await,
                Err(problem) => {
                    passage.dropped(Reason::QueueFull);
                    Err(problem)
                }
            },
            (Ok((outputs, passage)), Some(further)) => {
                let (in_flight, letters) = (self.in_flight.clone(), self.dead_letters.clone());
                let (route, passage) = (route.clone(), Some(passage));
                let (stored_name, sent) = (None, 0);
                let rest = Rest { further, route, number, passage, in_flight, letters, stored_name, sent };
                rest.answer((head, &asked), outputs).await
            }
            (Err(failed), _) => {
                let failure = failed.failure.clone();
                self.keep(route, &met, number, failed);
                Err(Problem::Failed(failure))
            }
        };
        stamped(&met, answer)
    }

    /// Room for what has come out. None was reserved before: a request may wait for long, and what it waits for is bounded
    /// there.
    fn room_for(&self, route: &FoundRoute, outputs: &Outputs) -> Result<Held, Problem> {
        room_for(&self.in_flight, route, outputs)
    }
}

fn room_for(in_flight: &InFlightBudget, route: &FoundRoute, outputs: &Outputs) -> Result<Held, Problem> {
    let frames = outputs.iter().flat_map(|output| &output.message.frames).map(Bytes::len);
    let bytes = frames.filter(|&bytes| bytes > BODY_BYTES_UNCOUNTED).sum();
    in_flight.reserve(Some(route.first().share()), bytes).map_err(|_| in_flight.no_room_for_answer())
}

impl Rest {
    /// The answer, which begins with the first message that comes out.
    ///
    /// # Errors
    /// When none comes, it cannot begin an answer, or not every sink takes it.
    async fn answer(mut self, (head, asked): (&Head, &Metadata), mut outputs: Outputs) -> Result<Response, Problem> {
        while outputs.is_empty() {
            match self.next(false).await {
                Some(more) => outputs = more.map_err(Problem::Failed)?,
                None => return Ok(nothing()),
            }
        }
        let begun = match answer_of(&self.route, &outputs[0].message, asked, &head.id) {
            Ok((parts, _)) => parts,
            Err(problem) => {
                self.give_up(Reason::BadResponse);
                return Err(problem);
            }
        };
        self.stored_name = stored_name(&self.route, head, std::slice::from_ref(&outputs[0].message));
        let is_head = head.parts.method == Method::HEAD;
        if !is_head && !is_bodiless(begun.status) {
            let ready = self.send(outputs).await?;
            let body = unfold(Some((self, ready)), async |rest| next_chunk(rest?).await);
            return Ok(streamed(begun, body.boxed()));
        }
        // Nothing of it goes to the client, and of a HEAD nothing goes anywhere.
        loop {
            if !is_head {
                self.send(outputs).await?;
            }
            match self.next(!is_head).await {
                Some(more) => outputs = more.map_err(Problem::Failed)?,
                None => break,
            }
        }
        // The length of what a GET would get is not known, and 0 would be wrong.
        Ok(if is_head { streamed(begun, empty().boxed()) } else { Response::from_parts(begun, Bytes::new().into()) })
    }

    /// What comes out next; none at the end. Once something `was_sent` a failure becomes a dead letter whoever is at fault:
    /// who asked can no longer be told.
    async fn next(&mut self, was_sent: bool) -> Option<Result<Outputs, Failure>> {
        let Some(Passed { met, result }) = self.further.next().await else {
            self.passage.take().into_iter().for_each(Passage::out);
            return None;
        };
        Some(result.map_err(|failed| {
            let failure = failed.failure.clone();
            self.give_up(failure.reason);
            if was_sent || failure.fault.is_worth_a_letter() {
                self.letters.write(letter(&self.route, &met, self.number, failed));
            }
            failure
        }))
    }

    /// Sends messages to the sinks. Returns what the client gets of them.
    async fn send(&mut self, outputs: Outputs) -> Result<VecDeque<Bytes>, Problem> {
        let mut room =
            room_for(&self.in_flight, &self.route, &outputs).inspect_err(|_| self.give_up(Reason::QueueFull))?;
        let mut messages: Vec<_> = outputs.into_iter().map(|Output { message, .. }| message).collect();
        messages.iter_mut().for_each(|message| keep(message, &mut room));
        if let Some(name) = &self.stored_name {
            name_messages(&mut messages, name, self.sent);
        }
        self.sent += messages.len();
        if let Err((reason, problem)) = self.route.send_part(&messages).await {
            self.give_up(reason);
            return Err(problem);
        }
        let bodies = messages.iter_mut().filter_map(|message| message.frames.pop());
        Ok(bodies.filter(|body| !body.is_empty()).collect())
    }

    /// Counts it as dropped, and wants no more of it.
    fn give_up(&mut self, reason: Reason) {
        self.passage.take().into_iter().for_each(|passage| passage.dropped(reason));
        self.further = empty().boxed();
    }
}

fn streamed(head: Parts, body: BoxStream<'static, Result<Bytes, CutShort>>) -> Response {
    let (_, body) = warp::reply::stream(Chunks(Mutex::new(body))).into_response().into_parts();
    Response::from_parts(head, body)
}

/// A body that is read by one alone, as all are: what is shared between threads by a reference takes no part in that.
struct Chunks(Mutex<BoxStream<'static, Result<Bytes, CutShort>>>);

impl Stream for Chunks {
    type Item = Result<Bytes, CutShort>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}

/// The next chunk of a body, with what is left if anything is.
async fn next_chunk(
    (mut rest, mut ready): (Rest, VecDeque<Bytes>),
) -> Option<(Result<Bytes, CutShort>, Option<(Rest, VecDeque<Bytes>)>)> {
    loop {
        if let Some(chunk) = ready.pop_front() {
            return Some((Ok(chunk), Some((rest, ready))));
        }
        let sent = match rest.next(true).await? {
            Ok(outputs) => rest.send(outputs).await.map_err(|_| CutShort),
            Err(_) => Err(CutShort),
        };
        match sent {
            Ok(bodies) => ready = bodies,
            Err(cut_short) => return Some((Err(cut_short), None)),
        }
    }
}
