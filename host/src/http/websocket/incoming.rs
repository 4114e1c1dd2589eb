//! What comes in by a WebSocket: until a message is whole it has a bound in time, and its bytes are of those in flight.

use crate::byte_budget::Held;
use crate::config::BODY_BYTES_UNCOUNTED;
use crate::http::server::body::InFlightBudget;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The head of a client's control frame, with its mask.
const CONTROL_HEAD_BYTES: usize = 6;

/// What messages that come in may take.
#[derive(Clone)]
pub struct IncomingBounds {
    /// Of bytes, which all bodies share.
    pub in_flight: InFlightBudget,
    /// For each message to come whole.
    pub time_max: Duration,
}

/// A stream, and what has come by it of a message that is not whole.
pub(super) struct Incoming<S> {
    stream: S,
    bounds: IncomingBounds,
    bytes: usize,
    since: Option<Instant>,
    held: Option<Held>,
    has_no_room: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Incoming<S> {
    pub(super) fn new(stream: S, bounds: IncomingBounds) -> Self {
        Self { stream, bounds, bytes: 0, since: None, held: None, has_no_room: false, timer: None }
    }

    /// A message is whole. Returns its part of the bytes in flight, to be dropped with the message. What came with it of the next
    /// is no more than a buffer, and is timed with what comes after that.
    pub(super) fn take_whole(&mut self) -> Option<Held> {
        let bytes = std::mem::take(&mut self.bytes);
        self.since = None;
        let mut held = self.held.take()?;
        held.settle(bytes);
        Some(held)
    }

    /// A control frame was taken out, which may come between the parts of a message.
    pub(super) fn forget_control(&mut self, payload_bytes: usize) {
        self.bytes = self.bytes.saturating_sub(CONTROL_HEAD_BYTES + payload_bytes);
        if self.bytes == 0 {
            self.take_whole();
        }
    }

    /// Completes when a message takes too long to come whole.
    pub(super) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.since.map(|since| since + self.bounds.time_max) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(context)
    }

    /// Whether it was broken off for want of room.
    pub(super) fn has_no_room(&self) -> bool {
        self.has_no_room
    }

    /// Counts what came.
    ///
    /// # Errors
    /// When there is no room for it.
    fn note(&mut self, bytes: usize) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        self.since.get_or_insert_with(Instant::now);
        self.bytes += bytes;
        if self.bytes <= BODY_BYTES_UNCOUNTED {
            return Ok(());
        }
        let held = match self.held.take() {
            Some(held) => Some(held),
            None => self.bounds.in_flight.reserve(None, 0).ok(),
        };
        self.held = held.and_then(|mut held| held.grow(self.bytes.saturating_sub(held.bytes())).then_some(held));
        self.has_no_room = self.held.is_none();
        if self.has_no_room { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Incoming<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        Poll::Ready(self.note(into.filled().len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Incoming<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
