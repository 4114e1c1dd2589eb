//! The sink of a socket that writes: a bounded queue to the loop that owns the socket.

use crate::flow::mailbox::{Mailbox, PushError};
use crate::flow::{Frames, Message, OfferError, Receipt, Reserved, Sink};
use crate::ledger::{Hop, Passage, Reason};
use crate::log_limit::LogLimit;
use crate::messaging::spans::describe;
use crate::traces::{Kind, Span};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Instant;

/// A message that was accepted and is not yet handed to libzmq.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) frames: Frames,
    pub(super) passage: Passage,
    /// Ends when it is sent or dropped.
    pub(super) span: Span,
}

/// Takes messages for one socket.
#[derive(Debug)]
pub(super) struct StreamSink {
    name: Arc<str>,
    pub(super) queue: Mailbox<Queued>,
    messages_max: usize,
    bytes_max: usize,
    /// Whether a message for which there is no room is dropped. Otherwise whoever sends it waits.
    drops: bool,
    hop: Arc<Hop>,
    log_limit: Mutex<LogLimit>,
}

impl StreamSink {
    pub(super) fn new(name: &Arc<str>, messages_max: usize, bytes_max: usize, drops: bool, hop: Arc<Hop>) -> Self {
        let (queue, log_limit) = (Mailbox::new(messages_max, bytes_max), Mutex::default());
        Self { name: Arc::clone(name), queue, messages_max, bytes_max, drops, hop, log_limit }
    }

    /// The hop that counts what is written.
    pub(super) fn hop(&self) -> &Arc<Hop> {
        &self.hop
    }

    fn span(&self, message: &Message) -> Span {
        let mut span = message.trace.child(Kind::Producer, || "send".into());
        if let Some(span) = span.recording() {
            describe(span, "send", self.name.to_string(), message.bytes());
        }
        span
    }

    fn queued(&self, message: &Message, span: Span) -> Queued {
        Queued { frames: message.frames.clone(), passage: self.hop.enter(), span }
    }

    fn full(&self, error: PushError) -> OfferError {
        let (name, messages_max, bytes_max) = (&self.name, self.messages_max, self.bytes_max);
        match error {
            PushError::TooManyItems => {
                OfferError::Full(format!("{name} has {messages_max} messages to send, which is queue_messages_max"))
            }
            PushError::TooManyBytes => {
                OfferError::Full(format!("{name} has no room within queue_bytes_max {bytes_max}"))
            }
            PushError::Closed => OfferError::Closed(format!("{name} is closed")),
        }
    }

    /// Counts a message of no frames, which libzmq cannot send.
    fn refuse_empty(&self) {
        self.hop.refuse(Reason::NoFrames);
        let mut log_limit = self.log_limit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = log_limit.note(Instant::now()) {
            tracing::warn!(surface = &*self.name, times, "dropped: a message without frames");
        }
    }
}

impl Sink for StreamSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        if message.frames.is_empty() {
            self.refuse_empty();
            return Ok(Receipt::Placed);
        }
        let mut span = self.span(message);
        let queued = || self.queued(message, std::mem::take(&mut span));
        match self.queue.push(message.bytes(), queued) {
            Ok(()) => Ok(Receipt::Placed),
            Err(error) => {
                let full = self.full(error);
                span.fail(Reason::QueueFull.as_str(), &full.to_string());
                if self.drops && error != PushError::Closed {
                    self.hop.refuse(Reason::QueueFull);
                    return Ok(Receipt::Placed);
                }
                Err(full)
            }
        }
    }

    fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        // A message that may be dropped has a place always.
        if self.drops || message.frames.is_empty() {
            return Ok(Box::new(|| self.offer(message)));
        }
        let room = self.queue.reserve(message.bytes()).map_err(|error| self.full(error))?;
        Ok(Box::new(move || {
            let queued = || self.queued(message, self.span(message));
            self.queue.push_reserved(room, queued).map(|()| Receipt::Placed).map_err(|error| self.full(error))
        }))
    }

    fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        self.drops || self.queue.await_room(bytes, waker)
    }
}
