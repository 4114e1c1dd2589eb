//! The spans of the broker: one for each request until its call has ended, and below it one for each reply until it is
//! sent or given up.

use crate::flow::Message;
use crate::messaging::socket::{Frames, frames_bytes};
use crate::messaging::spans::describe;
use crate::traces::{Kind, Span, Tracer};

/// Of a request that was read at the surface of this name. ZeroMQ has no place for a trace of its sender.
pub(super) fn of_request(tracer: &Tracer, surface: &'static str, frames: &Frames) -> Span {
    let mut span = tracer.start(Kind::Consumer, "process", None);
    if let Some(span) = span.recording() {
        span.rename(format!("process {surface}"));
        describe(span, "process", surface.to_owned(), frames_bytes(frames));
    }
    span
}

/// Of a reply to it.
pub(super) fn of_reply(surface: &'static str, reply: &Message) -> Span {
    let mut span = reply.trace.child(Kind::Producer, || format!("reply {surface}").into());
    if let Some(span) = span.recording() {
        describe(span, "reply", surface.to_owned(), reply.bytes());
    }
    span
}
