//! The publisher as a surface of the host.

use super::Publisher;
use crate::flow::{Health, PeerList, Side, State, Statistics, Surface};
use crate::ledger::{Hop, Reason};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Instant;

/// A publisher that runs, until it is told to end.
pub struct PublisherSurface {
    publisher: Arc<Publisher>,
    hop: Arc<Hop>,
    subscribers_min: usize,
}

impl PublisherSurface {
    /// `hop` is the one that the publisher was bound with; with fewer subscribers than `subscribers_min` the host is not
    /// ready.
    pub fn new(publisher: Arc<Publisher>, hop: Arc<Hop>, subscribers_min: usize) -> Self {
        Self { publisher, hop, subscribers_min }
    }
}

impl Surface for PublisherSurface {
    fn name(&self) -> &str {
        &self.publisher.name
    }

    fn endpoint(&self) -> String {
        self.publisher.endpoints().join(" ")
    }

    fn side(&self) -> Side {
        Side::Sink
    }

    fn peers(&self) -> Option<PeerList> {
        Some(self.publisher.figures().peer_list())
    }

    fn health(&self) -> Health {
        let (subscribers, subscribers_min) = (self.publisher.figures().subscriber_count(), self.subscribers_min);
        let obstacle = || format!("{subscribers} subscribers of subscribers_min {subscribers_min}");
        let few = (subscribers < subscribers_min).then(obstacle);
        Health { state: State::Running, obstacle: few.or_else(|| self.publisher.names.complaint()) }
    }

    fn statistics(&self, statistics: &mut Statistics) {
        self.publisher.figures().add_to(statistics, self.name());
        self.publisher.names.add_to(statistics, self.name());
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        Box::pin(async move {
            let publisher = Arc::clone(&self.publisher);
            let linger = deadline.saturating_duration_since(Instant::now());
            let _ = tokio::task::spawn_blocking(move || publisher.close(linger)).await;
            self.hop.figures().dropped(Reason::Abandoned)
        })
    }
}
