//! The queue of a sink: messages that wait to be sent, each with whoever waits for its end.

use super::SinkSettings;
use crate::backbone::frames::{MESSAGE_ID, encode};
use crate::backbone::subject;
use crate::config::MESSAGE_ID_KEY;
use crate::flow::mailbox::{Mailbox, PushError};
use crate::flow::{Message, OfferError, Receipt};
use crate::ledger::{Hop, Passage, Reason};
use crate::request_id::RequestIds;
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use std::str::FromStr;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What NATS counts of a message beside its payload and its subject, at most, where nobody has set a header.
const HEADERS_BYTES: usize = 512;

/// A message as it is sent, and by whom its end is awaited.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
    passage: Passage,
    arrived: oneshot::Sender<Result<(), Reason>>,
}

impl Queued {
    /// It has come to its end.
    pub(super) fn end(self, result: Result<(), Reason>) {
        match result {
            Ok(()) => self.passage.out(),
            Err(reason) => self.passage.dropped(reason),
        }
        // Whoever waited may have gone.
        let _ = self.arrived.send(result);
    }
}

/// Taken from by the task that sends.
#[derive(Debug)]
pub(super) struct SinkQueue {
    settings: SinkSettings,
    pub(super) waiting: Mailbox<Queued>,
    hop: Arc<Hop>,
    ids: RequestIds,
}

impl SinkQueue {
    pub(super) fn new(settings: SinkSettings, hop: Arc<Hop>) -> Self {
        let waiting = Mailbox::new(settings.bounds.messages_max, settings.bounds.bytes_max);
        Self { settings, waiting, hop, ids: RequestIds::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) fn hop(&self) -> &Arc<Hop> {
        &self.hop
    }

    /// What is made of a message that has a place.
    pub(super) fn make(&self, message: &Message, subject: String) -> (Queued, Receipt) {
        let (mut headers, payload) = encode(message);
        if headers.get(MESSAGE_ID).is_none() {
            let said = message.metadata.iter().find(|(key, _)| key == MESSAGE_ID_KEY);
            let said = said.and_then(|(_, id)| HeaderValue::from_str(id).ok());
            headers.insert(MESSAGE_ID, said.unwrap_or_else(|| HeaderValue::from(self.ids.next(None))));
        }
        if self.settings.is_one_of_several
            && let Some(id) = headers.get(MESSAGE_ID)
        {
            // A stream that has the subjects of both would take the second for the first.
            let id = format!("{}/{subject}", id.as_str());
            headers.insert(MESSAGE_ID, id);
        }
        let (arrived, arrival) = oneshot::channel();
        let queued = Queued { subject, headers, payload, passage: self.hop.enter(), arrived };
        // It is dropped where the sink ends before the message has.
        let arrival = async { arrival.await.unwrap_or(Err(Reason::Abandoned)) };
        (queued, Receipt::Pending(Box::pin(arrival)))
    }

    /// The subject of a message, unless it never reaches a stream: then what is said of it.
    pub(super) fn subject(&self, message: &Message, message_bytes_max: Option<usize>) -> Result<String, Receipt> {
        let metadata: usize = message.metadata.iter().map(|(key, value)| key.len() + value.len() + 4).sum();
        let bytes = message.bytes() + metadata + HEADERS_BYTES;
        let subject = match message_bytes_max {
            Some(bytes_max) if bytes > bytes_max => Err(Reason::TooLarge),
            _ => subject::fill(&self.settings.subject, message),
        };
        subject.map_err(|reason| {
            self.hop.refuse(reason);
            Receipt::Pending(Box::pin(std::future::ready(Err(reason))))
        })
    }

    pub(super) fn full(&self, error: PushError) -> OfferError {
        let SinkSettings { name, bounds, .. } = &self.settings;
        match error {
            PushError::TooManyItems => OfferError::Full(format!(
                "{name} has {} messages to send, which is queue_messages_max",
                bounds.messages_max
            )),
            PushError::TooManyBytes => {
                OfferError::Full(format!("{name} has no room within queue_bytes_max {}", bounds.bytes_max))
            }
            PushError::Closed => OfferError::Closed(format!("{name} is closed")),
        }
    }
}
