//! The task of a sink: sends what is queued, and waits for what the servers say of it.

use super::core::{Answer, SendingCore};
use super::queue::{Queued, SinkQueue};
use crate::backbone::complaint::Complaint;
use crate::backbone::connection::Connection;
use crate::backbone::retry::until;
use crate::backbone::streams::StreamKeeper;
use crate::flow::mailbox::Room;
use crate::ledger::Reason;
use crate::log_limit::LogLimit;
use async_nats::jetstream::context::{GetStreamByNameErrorKind, PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// What the task owns.
pub(super) struct Sending {
    pub(super) queue: Arc<SinkQueue>,
    pub(super) connection: Arc<Connection>,
    pub(super) streams: Arc<StreamKeeper>,
    pub(super) log_limit: LogLimit,
    pub(super) core: SendingCore<(Queued, Room)>,
    pub(super) complaint: Complaint,
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
        let mut link = self.connection.watch();
        link.mark_unchanged();
        while let Some((number, (queued, _))) = self.core.next(Instant::now()) {
            let message = PublishMessage::build().payload(queued.payload.clone()).headers(queued.headers.clone());
            let sending = self.connection.jetstream().send_publish(queued.subject.clone(), message);
            let deadline = *self.deadline.borrow();
            // The client waits for room where a server takes nothing.
            let sent = tokio::select! {
                biased;
                sent = sending => sent,
                _ = link.changed() => return,
                _ = self.deadline.changed(), if deadline.is_none() => return,
                () = until(deadline) => return,
            };
            match sent {
                Ok(answer) => {
                    let (streams, connection) = (Arc::clone(&self.streams), Arc::clone(&self.connection));
                    let subject = queued.subject.clone();
                    answers.push(Box::pin(async move {
                        (number, answer_of(answer, &subject, &streams, &connection).await)
                    }));
                }
                Err(error) => self.take(number, unanswered(&error)),
            }
        }
    }

    fn take(&mut self, number: u64, answer: Answer) {
        if let Answer::Refused(reason) = &answer
            && let Some(times) = self.log_limit.note(Instant::now())
        {
            tracing::warn!(sink = self.queue.name(), reason = reason.as_str(), times, "JetStream refused a message");
        }
        if let Some(((queued, _room), result)) = self.core.answered(number, answer, Instant::now()) {
            queued.end(result);
        }
    }

    fn report(&self) {
        let name = self.queue.name();
        self.complaint.set(self.core.complaint().map(|why| format!("{name}: not acknowledged: {why}")));
    }
}

async fn answer_of(answer: PublishAckFuture, subject: &str, streams: &StreamKeeper, connection: &Connection) -> Answer {
    match answer.await {
        Ok(_) => Answer::Acknowledged,
        Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
            // It may be made, or have no leader at the moment; else it would hold up all others for ever.
            if streams.make_those_of(subject) || has_stream(connection, subject).await {
                unanswered(&error)
            } else {
                Answer::Refused(Reason::NotStored)
            }
        }
        Err(error) => unanswered(&error),
    }
}

/// Whether some stream has this subject, as far as the servers can say.
async fn has_stream(connection: &Connection, subject: &str) -> bool {
    let found = connection.jetstream().stream_by_subject(subject).await;
    !found.is_err_and(|error| error.kind() == GetStreamByNameErrorKind::NotFound)
}

fn unanswered(error: &PublishError) -> Answer {
    let refusal = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Answer::Refused(Reason::TooLarge),
        _ if refusal.is_some_and(|error| error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM) => {
            Answer::Refused(Reason::NotStored)
        }
        _ => Answer::Unknown(error.to_string()),
    }
}
