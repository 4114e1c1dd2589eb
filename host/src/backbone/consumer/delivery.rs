//! One delivery of a message: what it is as a message, and how its flow says what became of it.

use super::held::Deliveries;
use super::verdict::{Standing, Verdict};
use crate::backbone::frames::decode;
use crate::config::MESSAGE_ID_KEY;
use crate::flow::{Lost, Message, Settlement};
use crate::ledger::{Passage, Reason};
use async_nats::jetstream;
use async_nats::jetstream::message::Acker;
use std::sync::Arc;

/// The keys of the pairs that say where a message stood in its stream, and the how manieth time it is delivered.
const SUBJECT: &str = "tidegate.subject";
const SEQUENCE: &str = "tidegate.sequence";
const DELIVERY: &str = "tidegate.delivery";

/// A message as it was delivered.
pub(super) struct Delivered {
    pub(super) message: Message,
    pub(super) acker: Acker,
    pub(super) standing: Standing,
    /// How often it was, with this time.
    pub(super) deliveries: u32,
}

impl Delivered {
    /// # Errors
    /// When it does not say what its number is; then it cannot be acknowledged.
    pub(super) fn of(delivered: jetstream::Message, made: i128) -> Result<Self, String> {
        let info = delivered.info().map_err(|error| error.to_string())?;
        let (sequence, name) = (info.stream_sequence, format!("{}/{}/{made:x}", info.stream, info.consumer));
        let deliveries = u32::try_from(info.delivered).unwrap_or(u32::MAX);
        let (delivered, acker) = delivered.split();
        let (mut metadata, frames) = decode(&delivered.subject, delivered.headers.as_ref(), &delivered.payload);
        let own = [
            (SUBJECT, delivered.subject.to_string()),
            (SEQUENCE, sequence.to_string()),
            (DELIVERY, deliveries.to_string()),
            // What comes of it again is known by it where it is stored.
            (MESSAGE_ID_KEY, format!("{name}/{sequence}")),
        ];
        metadata.extend(own.map(|(key, value)| (key.to_owned(), value)));
        let message = Message { metadata, frames, ..Message::default() };
        Ok(Self { message, acker, standing: Standing { made, sequence }, deliveries })
    }
}

/// Goes with a delivery through its flow.
#[derive(Debug)]
pub(super) struct DeliverySettlement {
    deliveries: Arc<Deliveries>,
    standing: Standing,
    count: u32,
    /// What was delivered, for a dead letter.
    input: Message,
    /// Until what became of it is known.
    passage: Option<Passage>,
}

impl DeliverySettlement {
    pub(super) fn new(
        deliveries: Arc<Deliveries>,
        (standing, count): (Standing, u32),
        input: Message,
        passage: Passage,
    ) -> Self {
        Self { deliveries, standing, count, input, passage: Some(passage) }
    }

    fn tell(&mut self, verdict: Verdict, end: impl FnOnce(Passage)) {
        if let Some(passage) = self.passage.take() {
            end(passage);
        }
        self.deliveries.tell(self.standing, self.count, verdict);
    }
}

impl Settlement for DeliverySettlement {
    fn done(mut self: Box<Self>) {
        self.tell(Verdict::Done, Passage::out);
    }

    fn failed(mut self: Box<Self>, lost: Lost) {
        let reason = lost.failure.reason;
        self.tell(Verdict::Failed(Box::new(lost)), |passage| passage.dropped(reason));
    }

    fn not_taken(mut self: Box<Self>, flow: &str, reason: Reason) {
        if let Reason::NoSubject | Reason::NotStored | Reason::TooLarge = reason {
            // No other try changes that.
            let input = std::mem::take(&mut self.input);
            let lost = Lost::of_no_place(flow, reason, input);
            return self.tell(Verdict::Failed(Box::new(lost)), |passage| passage.dropped(reason));
        }
        self.tell(Verdict::Returned { at_once: false }, |passage| passage.dropped(Reason::Returned));
    }
}

impl Drop for DeliverySettlement {
    fn drop(&mut self) {
        if self.passage.is_some() {
            self.tell(Verdict::Returned { at_once: true }, |passage| passage.dropped(Reason::Returned));
        }
    }
}
