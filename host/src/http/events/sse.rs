//! A stream of events as a browser's `EventSource` reads it: the text of Server-Sent Events.

use super::data;
use super::event::{Event, EventId};
use super::stream::{EventStream, Next};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::Stream;
use std::convert::Infallible;
use std::fmt::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What is sent at once of what waits is no larger, unless one event is.
const CHUNK_BYTES: usize = 32 << 10;

/// The body of an answer that goes on for as long as its client listens.
pub(super) struct SseBody {
    stream: EventStream,
    /// What is sent before anything has come.
    opening: Option<Bytes>,
    is_ended: bool,
}

impl SseBody {
    pub(super) fn new(stream: EventStream) -> Self {
        // A client that knows from where it listens can come back before anything was sent. Where a gap comes first it learns
        // that with the gap: it would never be told of it otherwise if it broke off in between.
        let id = if stream.begins_with_gap() { String::new() } else { format!("id: {}\n", stream.position()) };
        let opening = format!("retry: {}\n{id}\n", stream.retry_ms());
        Self { stream, opening: Some(opening.into()), is_ended: false }
    }

    fn text(&mut self, next: Next) -> Bytes {
        match next {
            Next::Event { id, event } => event.sse(|event| encode(event, id)),
            Next::Gap { id, missed: Some(count) } => gap(id, &count),
            Next::Gap { id, missed: None } => gap(id, &"\"unknown\""),
            Next::Heartbeat { id } => format!(":\nid: {id}\n\n").into(),
            Next::End { retry_ms } => {
                self.is_ended = true;
                format!("retry: {retry_ms}\n\n").into()
            }
        }
    }
}

fn gap(id: EventId, missed: &dyn fmt::Display) -> Bytes {
    format!("id: {id}\nevent: gap\ndata: {{\"missed\":{missed}}}\n\n").into()
}

/// The text of an event, which is the same for all streams.
fn encode(event: &Event, id: EventId) -> Bytes {
    let data = data::data(event);
    let name = data::name(event);
    let mut text = String::with_capacity(data.len() + name.map_or(0, str::len) + 64);
    // Writing to a text does not fail.
    let _ = writeln!(text, "id: {id}");
    if let Some(name) = name {
        let _ = writeln!(text, "event: {name}");
    }
    for line in data.split('\n') {
        text.push_str(data::LINE_START);
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

impl Stream for SseBody {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(opening) = self.opening.take() {
            return Poll::Ready(Some(Ok(opening)));
        }
        if self.is_ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.stream.poll_next(context));
        let first = self.text(next);
        // Most of the time there is one, which is shared with all other streams.
        let mut chunk = BytesMut::new();
        while chunk.len().max(first.len()) < CHUNK_BYTES && !self.is_ended {
            let Some(next) = self.stream.try_next() else { break };
            if chunk.is_empty() {
                chunk.reserve(2 * first.len());
                chunk.put_slice(&first);
            }
            chunk.put(self.text(next));
        }
        Poll::Ready(Some(Ok(if chunk.is_empty() { first } else { chunk.freeze() })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_line_for_each_of_its_own() {
        let shown = |frames: &[&'static str]| {
            let event = Event::new(7, frames.iter().map(|&frame| Bytes::from_static(frame.as_bytes())).collect());
            let text = encode(&event, EventId { epoch: 1, number: 7 });
            String::from_utf8(text.to_vec()).expect("text")
        };
        let id = "id: 0000000000000001-7\n";
        assert_eq!(shown(&["a b", " x\n\ny\n"]), format!("{id}event: a b\ndata:  x\ndata: \ndata: y\ndata: \n\n"));
        assert_eq!(shown(&[""]), format!("{id}data: \n\n"));
        assert_eq!(shown(&["a\n", "b"]), format!("{id}data: {{\"topic\":\"a\\n\",\"frames\":[\"b\"]}}\n\n"));
    }

    #[test]
    fn whatever_a_message_has_in_it_its_text_is_no_more_than_twice_of_what_counts() {
        let long = |byte| Bytes::from(vec![byte; 100_000]);
        let hostile = [b'\n', b'\0', b'\r', 1, 9, b'"', b'\\', b'x', 0xff];
        let mut messages: Vec<Vec<Bytes>> = hostile.iter().map(|&byte| vec![long(byte)]).collect();
        messages.extend(hostile.iter().map(|&byte| vec![long(byte), long(byte)]));
        messages.extend(hostile.iter().map(|&byte| vec!["gap".into(), long(byte), long(byte)]));
        for (byte, length) in hostile.iter().flat_map(|byte| (0..300).map(move |length| (*byte, length))) {
            messages.push(vec![vec![byte; length].into(); 1 + length % 64]);
        }
        for frames in messages {
            let event = Event::new(u64::MAX, frames.into());
            let (text, bytes) = (encode(&event, EventId { epoch: 1, number: u64::MAX }), event.bytes());
            assert!(text.len() <= 2 * bytes, "{} of {bytes}: {:?}", text.len(), event.frames[0].first());
        }
    }
}
