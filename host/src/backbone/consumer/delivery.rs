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

/// The keys of the pairs that say where a message stood in its stream, and how often it was delivered, with this time.
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

/// The newest message that was delivered here.
#[derive(Debug, Default)]
pub(super) struct Newest(Option<Standing>);

impl Newest {
    /// Whether this is not the first delivery of its message. A server that was killed has forgotten some deliveries and counts
    /// from 1 again; but it delivers new messages in their order.
    pub(super) fn is_again(&mut self, standing: Standing, deliveries: u32) -> bool {
        let is_old = self.0.is_some_and(|newest| newest.made == standing.made && newest.sequence >= standing.sequence);
        if !is_old {
            self.0 = Some(standing);
        }
        is_old || deliveries > 1
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_has_forgotten_is_delivered_again_all_the_same() {
        let mut newest = Newest::default();
        let mut is_again = |made, sequence, deliveries| newest.is_again(Standing { made, sequence }, deliveries);
        assert_eq!([is_again(1, 5, 1), is_again(1, 7, 1), is_again(1, 8, 2)], [false, false, true]);
        assert_eq!([is_again(1, 8, 1), is_again(1, 5, 1), is_again(1, 9, 1)], [true, true, false]);
        // A stream that is made anew counts from 1.
        assert_eq!([is_again(2, 1, 1), is_again(2, 1, 1)], [false, true]);
    }
}
