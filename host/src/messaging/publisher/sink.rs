//! The publisher as a sink of flows.

use super::{Publisher, QueueFull};
use crate::flow::{Message, OfferError, Receipt, Reserved, Sink};
use crate::ledger::Reason;
use std::sync::PoisonError;
use std::task::Waker;
use std::time::Instant;

impl Sink for Publisher {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        if message.frames.is_empty() {
            self.refuse_empty();
            return Ok(Receipt::Placed);
        }
        self.publish_below(&message.trace, message.frames.clone()).map(|()| Receipt::Placed).map_err(refused)
    }

    fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        if message.frames.is_empty() {
            return Ok(Box::new(|| self.offer(message)));
        }
        let room = self.reserve_bytes(message.bytes()).map_err(refused)?;
        Ok(Box::new(move || {
            let published = self.publish_reserved(room, &message.trace, message.frames.clone());
            published.map(|()| Receipt::Placed).map_err(refused)
        }))
    }

    fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        self.queue.messages.await_room(bytes, waker)
    }
}

fn refused(full: QueueFull) -> OfferError {
    match full {
        QueueFull::Closed => OfferError::Closed(full.to_string()),
        QueueFull::Messages(_) | QueueFull::Bytes(_) => OfferError::Full(full.to_string()),
    }
}

impl Publisher {
    /// Counts a message of no frames, which libzmq cannot send.
    fn refuse_empty(&self) {
        self.hop.refuse(Reason::NoFrames);
        let mut log_limit = self.log_limit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = log_limit.note(Instant::now()) {
            tracing::warn!(surface = self.name, times, "dropped: a message without frames");
        }
    }
}
