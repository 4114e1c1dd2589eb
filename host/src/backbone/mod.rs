//! The durable backbone: streams of NATS JetStream that flows read, and to which flows and routes write.

mod bucket;
mod complaint;
mod connection;
mod consumer;
mod frames;
#[cfg(fuzzing)]
pub mod fuzzing;
mod letters;
mod retry;
mod sink;
mod streams;
mod subject;

pub use bucket::{BucketConnection, NatsBucket};
pub use consumer::{Consumer, ConsumerSettings, LetterLine};
pub use letters::each_letter;
pub use sink::{JetStreamSink, SinkSettings};

use crate::config::{JetStreamStream, Nats};
use crate::ledger::Hop;
use crate::system::supervisor::Supervisor;
use connection::Connection;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use streams::StreamKeeper;

/// How long the last acknowledgements may take to leave, and how often it is looked whether they have.
const CLOSE_MAX: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(5);

/// The connection to NATS, and the streams that are to be there.
pub struct Backbone {
    connection: Arc<Connection>,
    streams: Arc<StreamKeeper>,
    supervisor: Supervisor,
    consumers: Mutex<Vec<Weak<Consumer>>>,
}

impl Backbone {
    /// Begins to connect, and goes on trying: a server that is away keeps nothing from starting.
    ///
    /// # Errors
    /// When a file of `[nats]` cannot be read, or is none of its kind; names it.
    pub async fn connect(
        nats: &Nats,
        streams: &BTreeMap<String, JetStreamStream>,
        supervisor: &Supervisor,
    ) -> Result<Self, String> {
        let connection = Arc::new(Connection::open(nats).await?);
        let streams = StreamKeeper::start(Arc::clone(&connection), streams.clone(), supervisor);
        Ok(Self { connection, streams, supervisor: supervisor.clone(), consumers: Mutex::default() })
    }

    /// From now on these streams are to be there.
    pub fn set_streams(&self, streams: &BTreeMap<String, JetStreamStream>) {
        self.streams.set(streams.clone());
    }

    /// A sink, which counts at this hop.
    pub fn sink(&self, settings: SinkSettings, hop: Arc<Hop>) -> Arc<JetStreamSink> {
        JetStreamSink::start(settings, hop, Arc::clone(&self.connection), Arc::clone(&self.streams), &self.supervisor)
    }

    /// A consumer, which nobody reads yet. It counts what it is delivered at the first hop, and at the second what it is
    /// delivered again.
    pub fn consumer(&self, settings: ConsumerSettings, hops: [Arc<Hop>; 2], letters: LetterLine) -> Arc<Consumer> {
        let (connection, streams) = (Arc::clone(&self.connection), Arc::clone(&self.streams));
        let consumer = Consumer::start(settings, hops, letters, connection, streams, &self.supervisor);
        let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.retain(|consumer| consumer.strong_count() > 0);
        consumers.push(Arc::downgrade(&consumer));
        consumer
    }

    /// When all flows have ended: has the servers hear what became of all that was delivered, unless that takes too long.
    pub async fn close(&self) {
        let settled = async {
            while !self.is_settled() {
                tokio::time::sleep(LOOK).await;
            }
            self.connection.flush().await;
        };
        let _ = tokio::time::timeout(CLOSE_MAX, settled).await;
    }

    fn is_settled(&self) -> bool {
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        consumers.iter().filter_map(Weak::upgrade).all(|consumer| consumer.is_settled())
    }
}
