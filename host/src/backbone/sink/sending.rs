//! The task of a sink: sends what is queued, and waits for what the servers say of it.

use super::answers::{Answers, Heard};
use super::core::{Answer, SendingCore};
use super::queue::{Queued, SinkQueue};
use crate::backbone::complaint::Complaint;
use crate::backbone::connection::Connection;
use crate::backbone::frames::{MESSAGE_ID, encode};
use crate::backbone::retry::until;
use crate::backbone::streams::StreamKeeper;
use crate::flow::mailbox::Room;
use crate::ledger::Reason;
use crate::log_limit::LogLimit;
use async_nats::client::PublishErrorKind;
use async_nats::jetstream::context::GetStreamByNameErrorKind;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::watch;
use tokio::task::yield_now;

/// How often the task steps back for those who offer more.
const GATHER_MAX: usize = 16;

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
    /// Whether nothing more comes from the queue.
    pub(super) is_closed: bool,
}

/// Of messages whose subjects no stream has: what is to become of them.
type Lookups = FuturesUnordered<BoxFuture<'static, (u64, Answer)>>;

impl Sending {
    /// Runs until the queue is closed and all that was in it has come to its end, or the deadline is over.
    pub(super) async fn run(mut self) {
        // It fails where the connection has ended for good.
        let Ok(mut answers) = Answers::open(&self.connection).await else { return };
        let (mut link, mut deadlines, mut lookups) = (self.connection.watch(), self.deadline.clone(), Lookups::new());
        let mut denied = self.connection.denied();
        while !(self.is_closed && self.core.is_empty()) {
            let is_there = link.borrow_and_update().is_none();
            if is_there {
                self.send(&answers).await;
            } else {
                lookups.clear();
                self.core.disconnected(Instant::now());
            }
            self.report();
            let due = self.core.due().filter(|_| is_there);
            let deadline = *deadlines.borrow_and_update();
            tokio::select! {
                biased;
                changed = link.changed() => if changed.is_err() { return },
                Ok(subject) = denied.recv() => self.deny(&subject),
                () = self.work(&mut answers, &mut lookups) => {}
                _ = deadlines.changed() => {}
                // What came before has been taken in.
                () = until(due) => self.core.expire(Instant::now()),
                () = until(deadline) => return,
            }
        }
    }

    /// Waits for something to do, and takes it in.
    async fn work(&mut self, answers: &mut Answers, lookups: &mut Lookups) {
        poll_fn(|context| self.poll_work(answers, lookups, context)).await;
        // Whoever is about to offer something does so first, as long as more comes: what is written together costs the servers,
        // and the host, less than each alone.
        for _ in 0..GATHER_MAX {
            let before = self.core.next_number();
            yield_now().await;
            poll_fn(|context| Poll::Ready(self.poll_work(answers, lookups, context).is_ready())).await;
            if self.core.next_number() == before {
                break;
            }
        }
    }

    /// Takes in all that there is: a wake for each would cost more than its work.
    fn poll_work(&mut self, answers: &mut Answers, lookups: &mut Lookups, context: &mut Context<'_>) -> Poll<()> {
        let (mut work, now) = (Poll::Pending, Instant::now());
        while let Poll::Ready(Some((number, heard))) = answers.poll_next(context) {
            work = Poll::Ready(());
            match heard {
                Heard::Answer(answer) => self.take(number, answer, now),
                Heard::NoStream => lookups.extend(self.look_up(number)),
            }
        }
        while let Poll::Ready(Some((number, answer))) = lookups.poll_next_unpin(context) {
            work = Poll::Ready(());
            self.take(number, answer, now);
        }
        while !self.is_closed
            && self.core.has_room()
            && let Poll::Ready(queued) = self.queue.waiting.poll_take(context)
        {
            work = Poll::Ready(());
            match queued {
                Some(queued) => self.core.add(queued),
                None => self.is_closed = true,
            }
        }
        work
    }

    /// Sends all that is to be sent now, in its order.
    async fn send(&mut self, answers: &Answers) {
        let mut link = self.connection.watch();
        link.mark_unchanged();
        while let Some((number, (queued, _))) = self.core.next(Instant::now()) {
            let (mut headers, payload) = encode(&queued.message);
            headers.insert(MESSAGE_ID, queued.id.clone());
            let (client, subject) = (self.connection.client(), queued.subject.clone());
            let sending = client.publish_with_reply_and_headers(subject, answers.address(number), headers, payload);
            let deadline = *self.deadline.borrow();
            // The client waits for room where a server takes nothing.
            let unsent = tokio::select! {
                biased;
                sent = sending => match sent {
                    Ok(()) => continue,
                    Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => Answer::Refused(Reason::TooLarge),
                    Err(error) => Answer::Unknown(error.to_string()),
                },
                _ = link.changed() => Answer::Unknown("the connection ended".to_owned()),
                _ = self.deadline.changed(), if deadline.is_none() => Answer::Unknown("the sink is to end".to_owned()),
                () = until(deadline) => Answer::Unknown("the sink has ended".to_owned()),
            };
            self.take(number, unsent, Instant::now());
        }
    }

    /// Ends what was sent to a subject that the servers let nobody of this account publish to.
    fn deny(&mut self, subject: &str) {
        for number in self.core.outstanding(|(queued, _)| *queued.subject == *subject) {
            self.take(number, Answer::Refused(Reason::NotStored), Instant::now());
        }
    }

    fn take(&mut self, number: u64, answer: Answer, now: Instant) {
        let Some(((queued, _room), result)) = self.core.answered(number, answer, now) else { return };
        if let Err(reason) = result
            && let Some(times) = self.log_limit.note(now)
        {
            tracing::warn!(sink = self.queue.name(), reason = reason.as_str(), times, "JetStream refused a message");
        }
        queued.end(result);
    }

    /// What is to become of a message whose subject no stream has. One may be made, or have no leader at the moment; else it
    /// would hold up all others for ever.
    fn look_up(&self, number: u64) -> Option<BoxFuture<'static, (u64, Answer)>> {
        let subject = self.core.get(number)?.0.subject.clone();
        let (streams, connection) = (Arc::clone(&self.streams), Arc::clone(&self.connection));
        Some(Box::pin(async move {
            if streams.make_those_of(&subject) || has_stream(&connection, &subject).await {
                (number, Answer::Unknown(format!("no stream answers for {subject}")))
            } else {
                (number, Answer::Refused(Reason::NotStored))
            }
        }))
    }

    fn report(&self) {
        let name = self.queue.name();
        self.complaint.set(self.core.complaint().map(|why| format!("{name}: not acknowledged: {why}")));
    }
}

/// Whether some stream has this subject, as far as the servers can say.
async fn has_stream(connection: &Connection, subject: &str) -> bool {
    let found = connection.jetstream().stream_by_subject(subject).await;
    !found.is_err_and(|error| error.kind() == GetStreamByNameErrorKind::NotFound)
}
