//! The task that reads: pulls what the consumer has, and puts it into the inlet of the flow that reads it.

use super::ConsumerSettings;
use super::cuts::Cuts;
use super::delivery::{Delivered, DeliverySettlement, Newest};
use super::held::Deliveries;
use super::opening::{Opened, open};
use super::pulling::Pulling;
use super::verdict::{Standing, Verdict};
use crate::backbone::complaint::Complaint;
use crate::backbone::connection::Connection;
use crate::backbone::retry;
use crate::backbone::streams::StreamKeeper;
use crate::flow::{Inlet, Message, Settlement};
use crate::ledger::{Hop, Reason};
use crate::log_limit::LogLimit;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;
use tokio::sync::watch;

/// What it is told: whether to read, and for whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    pub(super) inlet: Option<Arc<Inlet>>,
    pub(super) is_paused: bool,
    pub(super) has_ended: bool,
}

impl Reader {
    /// Where messages go; none while nothing is to be read.
    fn inlet(&self) -> Option<&Arc<Inlet>> {
        self.inlet.as_ref().filter(|inlet| !self.is_paused && !inlet.is_closed())
    }
}

/// Why it is read no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is told so.
    Told,
    /// The connection has ended.
    Cut,
    /// The time is over.
    Quiet,
}

/// A delivery for which the flow has no room yet: the message, where it stands, and how often it was delivered, with this time.
type Waiting = (Message, Standing, u32);

/// What the task owns.
pub(super) struct Reading {
    pub(super) settings: ConsumerSettings,
    pub(super) connection: Arc<Connection>,
    pub(super) streams: Arc<StreamKeeper>,
    pub(super) deliveries: Arc<Deliveries>,
    pub(super) reader: watch::Receiver<Reader>,
    /// Counts deliveries, and those that are not the first of their message.
    pub(super) hops: [Arc<Hop>; 2],
    pub(super) newest: Newest,
    pub(super) log_limit: LogLimit,
    pub(super) complaint: Complaint,
    /// How often it was begun anew since the server was not heard of.
    pub(super) restarts: Arc<AtomicU64>,
}

impl Reading {
    /// Runs until it is told that it has ended.
    pub(super) async fn run(mut self) {
        let (mut link, mut failures, mut cuts) = (self.connection.watch(), 0, Cuts::default());
        while !self.reader.borrow_and_update().has_ended {
            let may_read = self.reader.borrow().inlet().is_some() && link.borrow_and_update().is_none();
            if !may_read {
                tokio::select! {
                    changed = self.reader.changed() => if changed.is_err() { return },
                    changed = link.changed() => if changed.is_err() { return },
                }
                continue;
            }
            // Its stream may be one that is made.
            self.streams.looked_after().await;
            let outcome = match open(&self.connection, &self.streams, &self.settings, cuts.is_one_by_one()).await {
                Ok(Opened { messages, made, ack_wait }) => {
                    self.complaint.tell(None);
                    self.deliveries.open(made, ack_wait);
                    let began = Instant::now();
                    let read = self.read(messages, made, cuts.over_at(ack_wait, began)).await;
                    match read {
                        Ok(End::Cut) => self.note_cut(cuts.note(ack_wait, began, Instant::now())),
                        Ok(End::Quiet) => cuts = Cuts::default(),
                        Ok(End::Told) | Err(_) => {}
                    }
                    read.map(drop)
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else {
                failures = 0;
                continue;
            };
            failures += 1;
            self.restarts.fetch_add(1, Ordering::Relaxed);
            self.complaint.tell(Some(format!("{}: {error}", self.settings.name)));
            tokio::select! {
                () = tokio::time::sleep(retry::pause(failures)) => {}
                changed = self.reader.changed() => if changed.is_err() { return },
            }
        }
    }

    fn note_cut(&self, begins_one_by_one: bool) {
        if begins_one_by_one {
            tracing::warn!(
                consumer = self.settings.name,
                "the connection to NATS has ended several times in a row while messages were read, and one of them may be why: \
                 they are read one by one"
            );
        }
    }

    /// Reads until it is to do so no more, until this time if there is one, or until the server is not heard of any more.
    async fn read(&mut self, mut messages: Pulling, made: i128, over_at: Option<Instant>) -> Result<End, String> {
        let (mut link, mut backlog) = (self.connection.watch(), VecDeque::new());
        link.mark_unchanged();
        let inlet = self.reader.borrow().inlet().cloned();
        let mut told = self.reader.clone();
        let outcome = loop {
            let Some(inlet) = &inlet else { break Ok(End::Told) };
            tokio::select! {
                biased;
                _ = told.changed() => break Ok(End::Told),
                _ = link.changed() => break Ok(End::Cut),
                () = retry::until(over_at) => break Ok(End::Quiet),
                is_open = self.offer(inlet, &mut backlog) => if !is_open { break Ok(End::Told) },
                // What the client has fetched is taken in at once: the server is told that it is here.
                next = messages.next() => match next {
                    Ok(message) => backlog.extend(self.take(message, made)),
                    Err(error) => break Err(error),
                }
            }
        };
        // Another host may have what nobody reads here.
        while let Some(message) = messages.next_of_what_came() {
            backlog.extend(self.take(message, made));
        }
        for (_, standing, deliveries) in backlog {
            self.hops[0].refuse(Reason::Returned);
            self.deliveries.tell(standing, deliveries, Verdict::Returned { at_once: true });
        }
        outcome
    }

    /// Takes in a delivery, which is put into the inlet in its turn; none of one that is here already.
    fn take(&mut self, delivered: async_nats::jetstream::Message, made: i128) -> Option<Waiting> {
        let Delivered { message, acker, standing, deliveries } = match Delivered::of(delivered, made) {
            Ok(delivered) => delivered,
            Err(error) => {
                if let Some(times) = self.log_limit.note(Instant::now()) {
                    tracing::warn!(
                        consumer = self.settings.name,
                        times,
                        "a message that is none of JetStream's: {error}"
                    );
                }
                return None;
            }
        };
        if self.newest.is_again(standing, deliveries) {
            self.hops[1].pass();
        }
        if !self.deliveries.take(standing, acker, Instant::now()) {
            // The flow that has it tells of both.
            self.hops[0].pass();
            return None;
        }
        Some((message, standing, deliveries))
    }

    /// Puts the first that waits into the inlet, once that has room. Returns false if the flow has ended.
    async fn offer(&self, inlet: &Inlet, backlog: &mut VecDeque<Waiting>) -> bool {
        poll_fn(|context| {
            let Some((message, standing, count)) = backlog.pop_front() else { return Poll::Pending };
            // The frames are not copied.
            let (bytes, input) = (message.bytes(), message.clone());
            let settlement = || {
                let (deliveries, passage) = (Arc::clone(&self.deliveries), self.hops[0].enter());
                Box::new(DeliverySettlement::new(deliveries, (standing, count), input, passage)) as Box<dyn Settlement>
            };
            match inlet.offer_settled(message, settlement) {
                Ok(()) => return Poll::Ready(true),
                Err(message) => backlog.push_front((message, standing, count)),
            }
            if inlet.is_closed() {
                return Poll::Ready(false);
            }
            if inlet.await_room(bytes, context.waker()) {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }
}
