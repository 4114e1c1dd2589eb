//! The handle of a consumer: which flow reads it, and what is told of it.

use super::acknowledging::Acknowledging;
use super::delivery::Newest;
use super::held::Deliveries;
use super::reading::{Reader, Reading};
use super::{ConsumerSettings, LetterLine};
use crate::backbone::complaint::Complaint;
use crate::backbone::connection::Connection;
use crate::backbone::streams::StreamKeeper;
use crate::flow::{Command, Health, Inlet, Side, State, Statistics, Status, Surface};
use crate::ledger::{Hop, Reason};
use crate::log_limit::LogLimit;
use crate::system::supervisor::Supervisor;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::watch;

/// A consumer that runs until it is told to end.
pub struct Consumer {
    name: String,
    connection: Arc<Connection>,
    streams: Arc<StreamKeeper>,
    deliveries: Arc<Deliveries>,
    reader: watch::Sender<Reader>,
    hop: Arc<Hop>,
    complaint: Complaint,
    restarts: Arc<AtomicU64>,
    dead_letters: Arc<AtomicU64>,
}

impl Consumer {
    pub(in crate::backbone) fn start(
        settings: ConsumerSettings,
        hops: [Arc<Hop>; 2],
        letters: LetterLine,
        connection: Arc<Connection>,
        streams: Arc<StreamKeeper>,
        supervisor: &Supervisor,
    ) -> Arc<Self> {
        let (reader, told) = watch::channel(Reader::default());
        let (deliveries, ended) = Deliveries::new(settings.config.ack_wait_ms);
        let (complaint, restarts, dead_letters) = Default::default();
        let consumer = Arc::new(Self {
            name: settings.name.clone(),
            connection: Arc::clone(&connection),
            streams,
            deliveries: Arc::clone(&deliveries),
            reader,
            hop: Arc::clone(&hops[0]),
            complaint,
            restarts,
            dead_letters,
        });
        let acknowledging = Acknowledging {
            settings: settings.clone(),
            deliveries: Arc::clone(&deliveries),
            ended,
            connection: Arc::clone(&connection),
            letters,
            dead_letters: Arc::clone(&consumer.dead_letters),
            reader: told.clone(),
            log_limit: LogLimit::default(),
        };
        let reading = Reading {
            settings,
            connection,
            streams: Arc::clone(&consumer.streams),
            deliveries,
            reader: told,
            hops,
            newest: Newest::default(),
            log_limit: LogLimit::default(),
            complaint: consumer.complaint.clone(),
            restarts: Arc::clone(&consumer.restarts),
        };
        supervisor.task(&consumer.name, async move {
            // What flows still have when nothing is read any more is acknowledged all the same.
            tokio::join!(reading.run(), acknowledging.run());
            Ok(())
        });
        consumer
    }

    /// From now on this flow reads it; without one nothing is pulled.
    pub fn set_inlets(&self, inlets: Vec<Arc<Inlet>>) {
        let inlet = inlets.into_iter().next();
        self.reader.send_if_modified(|reader| {
            let is_same = match (&reader.inlet, &inlet) {
                (Some(before), Some(now)) => Arc::ptr_eq(before, now),
                (before, now) => before.is_none() && now.is_none(),
            };
            reader.inlet = inlet;
            !is_same
        });
    }

    /// Whether it has been told what became of all that it was delivered.
    pub(in crate::backbone) fn is_settled(&self) -> bool {
        self.deliveries.is_empty()
    }

    fn is_paused(&self) -> bool {
        self.reader.borrow().is_paused
    }
}

impl Surface for Consumer {
    fn name(&self) -> &str {
        &self.name
    }

    fn endpoint(&self) -> String {
        self.connection.url().to_owned()
    }

    fn side(&self) -> Side {
        Side::Source
    }

    fn health(&self) -> Health {
        let state = match (self.is_paused(), self.deliveries.len()) {
            (false, _) => State::Running,
            (true, 0) => State::Paused,
            (true, _) => State::Draining,
        };
        let paused = || self.is_paused().then(|| format!("the consumer {} is paused", self.name));
        let own = || self.complaint.get();
        let obstacle = self.connection.complaint().or_else(|| self.streams.complaint()).or_else(own).or_else(paused);
        Health { state, obstacle }
    }

    fn statistics(&self, statistics: &mut Statistics) {
        let mut counted = statistics.of(Some(("surface", &self.name)));
        for (described, count) in [
            (("jetstream_restarts", None, "How often reading from JetStream was begun anew"), &self.restarts),
            (("jetstream_dead_letters", None, "Messages that became dead letters in JetStream"), &self.dead_letters),
        ] {
            counted.counter(described, count.load(Ordering::Relaxed));
        }
        let says = "Messages that JetStream has delivered and that are not acknowledged";
        counted.gauge(("jetstream_held_messages", None, says), self.deliveries.len() as u64);
    }

    fn status(&self) -> Option<Status> {
        let counts = BTreeMap::from([("held_messages", self.deliveries.len() as u64)]);
        Some(Status { state: self.health().state, counts })
    }

    fn command(&self, command: Command) -> Result<(), String> {
        let is_paused = command != Command::Resume;
        self.reader.send_modify(|reader| reader.is_paused = is_paused);
        Ok(())
    }

    fn end(self: Arc<Self>, _deadline: Instant) -> BoxFuture<'static, u64> {
        self.reader.send_modify(|reader| reader.has_ended = true);
        // What it has read is with the flows that read it, which end after it; the servers deliver again what these give up.
        Box::pin(std::future::ready(self.hop.figures().dropped(Reason::Abandoned)))
    }
}
