//! The task of a sink: sends what is queued, and waits for what the servers say of it.

use super::core::{Answer, SendingCore};
use super::queue::{Queued, SinkQueue};
use crate::backbone::connection::Connection;
use crate::flow::mailbox::Room;
use crate::ledger::Reason;
use async_nats::jetstream;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::error::Error;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// From here on a server that refuses a message will never take it.
const REFUSED: std::ops::Range<usize> = 400..500;

/// What the task owns.
pub(super) struct Sending {
    pub(super) queue: Arc<SinkQueue>,
    pub(super) connection: Arc<Connection>,
    pub(super) core: SendingCore<(Queued, Room)>,
    pub(super) complaint: Arc<Mutex<Option<String>>>,
    /// When it is to end at the latest, once it is.
    pub(super) deadline: watch::Receiver<Option<Instant>>,
}

type Answers = FuturesUnordered<BoxFuture<'static, (u64, Answer)>>;

impl Sending {
    /// Runs until the queue is closed and all that was in it has come to its end, or the deadline is over.
    pub(super) async fn run(mut self) {
        let (mut link, mut answers, mut is_closed) = (self.connection.watch(), Answers::new(), false);
        while !(is_closed && self.core.is_empty()) {
            let is_there = link.borrow_and_update().is_none();
            if is_there {
                self.send(&mut answers).await;
            } else {
                answers.clear();
                self.core.disconnected(Instant::now());
            }
            self.report();
            let due = self.core.due().filter(|_| is_there);
            let deadline = *self.deadline.borrow_and_update();
            tokio::select! {
                biased;
                changed = link.changed() => if changed.is_err() { return },
                Some((number, answer)) = answers.next() => self.take(number, answer),
                queued = poll_fn(|context| self.queue.waiting.poll_take(context)), if self.core.has_room() && !is_closed => {
                    match queued {
                        Some(queued) => self.core.add(queued),
                        None => is_closed = true,
                    }
                }
                _ = self.deadline.changed() => {}
                () = until(due) => {}
                () = until(deadline) => return,
            }
        }
    }

    /// Sends all that is to be sent now, in its order.
    async fn send(&mut self, answers: &mut Answers) {
        while let Some((number, (queued, _))) = self.core.next(Instant::now()) {
            let message = PublishMessage::build().payload(queued.payload.clone()).headers(queued.headers.clone());
            match self.connection.jetstream().send_publish(queued.subject.clone(), message).await {
                Ok(answer) => answers.push(Box::pin(async move { (number, answer_of(answer).await) })),
                Err(error) => self.take(number, unanswered(&error)),
            }
        }
    }

    fn take(&mut self, number: u64, answer: Answer) {
        if let Answer::Refused(reason) = &answer {
            tracing::warn!(sink = self.queue.name(), reason = reason.as_str(), "JetStream refused a message");
        }
        if let Some(((queued, _room), result)) = self.core.answered(number, answer, Instant::now()) {
            queued.end(result);
        }
    }

    fn report(&self) {
        let complaint = self.core.complaint().map(|why| format!("{}: not acknowledged: {why}", self.queue.name()));
        let mut before = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if *before != complaint {
            *before = complaint;
        }
    }
}

/// Completes at this time; never without one.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

async fn answer_of(answer: PublishAckFuture) -> Answer {
    match answer.await {
        Ok(_) => Answer::Acknowledged,
        Err(error) => unanswered(&error),
    }
}

fn unanswered(error: &PublishError) -> Answer {
    let refusal = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Answer::Refused(Reason::TooLarge),
        _ if refusal.is_some_and(|error| REFUSED.contains(&error.code())) => Answer::Refused(Reason::NotStored),
        _ => Answer::Unknown(error.to_string()),
    }
}
