//! The publisher as a sink of flows.

use super::{Publisher, QueueFull};
use crate::flow::{Message, OfferError, Receipt, Sink};
use std::task::Waker;

impl Sink for Publisher {
    fn name(&self) -> &str {
        self.name
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        let trace = &message.trace;
        let Some((topic, body)) = message.clone().into_topic_and_body() else {
            return Err(OfferError::Full("a published message is a topic and a body".to_owned()));
        };
        self.publish_below(trace, topic, body).map(|()| Receipt::Placed).map_err(|full| match full {
            QueueFull::Closed => OfferError::Closed(full.to_string()),
            QueueFull::Messages(_) | QueueFull::Bytes(_) => OfferError::Full(full.to_string()),
        })
    }

    fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        self.queue.messages.await_room(bytes, waker)
    }
}
