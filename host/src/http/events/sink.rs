//! The hub as a sink, which always has room: who listens must not slow down who publishes.

use super::hub::Hub;
use crate::config::EVENTS;
use crate::flow::{Message, OfferError, Receipt, Reserved, Sink};
use std::task::Waker;

impl Sink for Hub {
    fn name(&self) -> &str {
        EVENTS
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        self.publish(&message.frames);
        Ok(Receipt::Placed)
    }

    fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        Ok(Box::new(|| self.offer(message)))
    }

    fn await_room(&self, _bytes: usize, _waker: &Waker) -> bool {
        true
    }
}
