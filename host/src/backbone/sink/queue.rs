//! The queue of a sink: messages that wait to be sent, each with whoever waits for its end.

use super::SinkSettings;
use crate::backbone::frames::MESSAGE_ID;
use crate::backbone::subject;
use crate::config::MESSAGE_ID_KEY;
use crate::flow::mailbox::{Mailbox, PushError, Room};
use crate::flow::{Message, OfferError, Receipt};
use crate::ledger::{Hop, Passage, Reason};
use crate::request_id::RequestIds;
use async_nats::{HeaderValue, Subject};
use std::str::FromStr;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What NATS counts of a message beside its payload and its subject, at most, where nobody has set a header.
const HEADERS_BYTES: usize = 512;

/// A message as it is sent, and by whom its end is awaited.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) subject: Subject,
    /// By which the stream knows it if it comes again.
    pub(super) id: HeaderValue,
    pub(super) message: Message,
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

    /// Has a message sent that has a place. Returns its receipt.
    ///
    /// # Errors
    /// When it has been closed.
    pub(super) fn put(&self, message: &Message, subject: String, room: Room) -> Result<Receipt, OfferError> {
        let (arrived, arrival) = oneshot::channel();
        let make = || {
            let (id, message) = (self.id(message, &subject), message.clone());
            Queued { subject: subject.into(), id, message, passage: self.hop.enter(), arrived }
        };
        self.waiting.push_reserved(room, make).map_err(|error| self.full(error))?;
        // It is dropped where the sink ends before the message has.
        let arrival = async { arrival.await.unwrap_or(Err(Reason::Abandoned)) };
        Ok(Receipt::Pending(Box::pin(arrival)))
    }

    /// What a plugin says, or the host knows it by, or one that no other has.
    fn id(&self, message: &Message, subject: &str) -> HeaderValue {
        let said = |named: &dyn Fn(&str) -> bool| {
            let pair = message.metadata.iter().find(|(key, _)| named(key));
            pair.and_then(|(_, id)| HeaderValue::from_str(id).ok())
        };
        let id = said(&|key| key.eq_ignore_ascii_case(MESSAGE_ID)).or_else(|| said(&|key| key == MESSAGE_ID_KEY));
        let id = id.unwrap_or_else(|| HeaderValue::from(self.ids.next(None)));
        if self.settings.is_one_of_several {
            // A stream that has the subjects of both would take the second for the first.
            HeaderValue::from(format!("{}/{subject}", id.as_str()))
        } else {
            id
        }
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
