//! The publisher as a sink of flows.

use super::{Publisher, QueueFull};
use crate::flow::{Message, OfferError, Receipt, Reserved, Sink};
use bytes::Bytes;
use std::task::Waker;

impl Sink for Publisher {
    fn name(&self) -> &str {
        self.name
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        let (topic, body) = topic_and_body(message)?;
        self.publish_below(&message.trace, topic, body).map(|()| Receipt::Placed).map_err(refused)
    }

    fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        let (topic, body) = topic_and_body(message)?;
        let room = self.reserve_bytes(message.bytes()).map_err(refused)?;
        Ok(Box::new(move || {
            self.publish_reserved(room, &message.trace, topic, body).map(|()| Receipt::Placed).map_err(refused)
        }))
    }

    fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        self.queue.messages.await_room(bytes, waker)
    }
}

fn topic_and_body(message: &Message) -> Result<(Bytes, Bytes), OfferError> {
    let failed = || OfferError::Full("a published message is a topic and a body".to_owned());
    message.clone().into_topic_and_body().ok_or_else(failed)
}

fn refused(full: QueueFull) -> OfferError {
    match full {
        QueueFull::Closed => OfferError::Closed(full.to_string()),
        QueueFull::Messages(_) | QueueFull::Bytes(_) => OfferError::Full(full.to_string()),
    }
}
