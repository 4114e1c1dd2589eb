//! The task that reads: pulls what the consumer has, and puts it into the inlet of the flow that reads it.

use super::ConsumerSettings;
use super::delivery::{Delivered, DeliverySettlement};
use super::held::Deliveries;
use super::opening::open;
use super::verdict::Verdict;
use crate::backbone::connection::Connection;
use crate::backbone::retry;
use crate::backbone::streams::StreamKeeper;
use crate::flow::{Inlet, Message, Settlement};
use crate::ledger::{Hop, Reason};
use async_nats::jetstream::consumer::pull::Stream;
use futures_util::StreamExt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

/// What the task owns.
pub(super) struct Reading {
    pub(super) settings: ConsumerSettings,
    pub(super) connection: Arc<Connection>,
    pub(super) streams: Arc<StreamKeeper>,
    pub(super) deliveries: Arc<Deliveries>,
    pub(super) reader: watch::Receiver<Reader>,
    /// Counts deliveries, and those that are not the first of their message.
    pub(super) hops: [Arc<Hop>; 2],
    pub(super) complaint: Arc<Mutex<Option<String>>>,
    /// How often it was begun anew since the server was not heard of.
    pub(super) restarts: Arc<AtomicU64>,
}

impl Reading {
    /// Runs until it is told that it has ended.
    pub(super) async fn run(mut self) {
        let (mut link, mut failures) = (self.connection.watch(), 0);
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
            let outcome = match open(&self.connection, &self.settings).await {
                Ok(messages) => {
                    self.complain(None);
                    self.read(messages).await
                }
                Err(error) => Err(error),
            };
            let Err(error) = outcome else {
                failures = 0;
                continue;
            };
            failures += 1;
            self.restarts.fetch_add(1, Ordering::Relaxed);
            self.complain(Some(format!("{}: {error}", self.settings.name)));
            tokio::select! {
                () = tokio::time::sleep(retry::pause(failures)) => {}
                changed = self.reader.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Reads until it is to do so no more, or the server is not heard of any more.
    async fn read(&mut self, mut messages: Stream) -> Result<(), String> {
        let mut link = self.connection.watch();
        link.mark_unchanged();
        loop {
            tokio::select! {
                biased;
                _ = self.reader.changed() => return Ok(()),
                _ = link.changed() => return Ok(()),
                next = messages.next() => match next {
                    Some(Ok(message)) => self.take(message).await,
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("the server ended the delivery".to_owned()),
                }
            }
        }
    }

    /// Waits until the flow takes a message, or nobody reads any more; then it is delivered again.
    async fn take(&self, delivered: async_nats::jetstream::Message) {
        let Delivered { message, acker, sequence, deliveries } = match Delivered::of(delivered) {
            Ok(delivered) => delivered,
            Err(error) => {
                tracing::warn!(consumer = self.settings.name, "a message that is none of JetStream's: {error}");
                return;
            }
        };
        if deliveries > 1 {
            self.hops[1].pass();
        }
        if !self.deliveries.take(sequence, acker, Instant::now()) {
            // The flow that has it tells of both.
            self.hops[0].pass();
            return;
        }
        let inlet = self.reader.borrow().inlet().cloned();
        let is_taken = match inlet {
            Some(inlet) => self.offer(&inlet, message, (sequence, deliveries)).await,
            None => false,
        };
        if !is_taken {
            self.hops[0].refuse(Reason::Returned);
            self.deliveries.tell(sequence, deliveries, Verdict::Returned { at_once: true });
        }
    }

    /// Waits until the flow takes a message. Returns false if it is not to be read any more before that.
    async fn offer(&self, inlet: &Inlet, message: Message, (sequence, count): (u64, u32)) -> bool {
        let (bytes, mut waiting, mut told) = (message.bytes(), Some(message), self.reader.clone());
        let offered = poll_fn(|context| {
            while let Some(message) = waiting.take() {
                let settlement = || {
                    let (deliveries, passage) = (Arc::clone(&self.deliveries), self.hops[0].enter());
                    Box::new(DeliverySettlement::new(deliveries, sequence, count, passage)) as Box<dyn Settlement>
                };
                match inlet.offer_settled(message, settlement) {
                    Ok(()) => return Poll::Ready(true),
                    Err(_) if inlet.is_closed() => return Poll::Ready(false),
                    Err(message) => waiting = Some(message),
                }
                if !inlet.await_room(bytes, context.waker()) {
                    return Poll::Pending;
                }
            }
            Poll::Ready(false)
        });
        tokio::select! {
            biased;
            is_taken = offered => is_taken,
            _ = told.changed() => false,
        }
    }

    fn complain(&self, complaint: Option<String>) {
        let mut before = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(what) = &complaint
            && *before != complaint
        {
            tracing::warn!("{what}");
        }
        *before = complaint;
    }
}
