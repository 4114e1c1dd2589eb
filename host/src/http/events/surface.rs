//! The streams of events as a surface of the host.

use super::directory::Listed;
use super::hub::{Hub, lock};
use crate::config::{ADMIN_PEERS_MAX, EVENTS};
use crate::flow::{PeerList, Side, Statistics, Surface, Unit};
use crate::ledger::{Hop, Reason};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

/// The hub with the place where its streams are opened.
pub struct EventsSurface {
    hub: Arc<Hub>,
    hops: [Arc<Hop>; 2],
    endpoint: String,
    /// The connections of those who follow.
    followers: TaskTracker,
}

impl EventsSurface {
    /// `hops` are those that the hub was made with.
    pub fn new(hub: Arc<Hub>, hops: [Arc<Hop>; 2], endpoint: String, followers: TaskTracker) -> Self {
        Self { hub, hops, endpoint, followers }
    }
}

impl Surface for EventsSurface {
    fn name(&self) -> &str {
        EVENTS
    }

    fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// The streams end behind all that is published to them.
    fn side(&self) -> Side {
        Side::Sink
    }

    fn peers(&self) -> Option<PeerList> {
        let status = |(stream, of): (u64, Listed)| (stream, of.status(lock(&of.queue).depth()));
        Some(PeerList::of(self.hub.listed().into_iter().map(status), ADMIN_PEERS_MAX))
    }

    fn statistics(&self, statistics: &mut Statistics) {
        let counts = self.hub.counts();
        let mut all = statistics.of(None);
        all.gauge(("event_streams_open", None, "Streams of events that are open"), counts.open);
        all.counter(("event_streams_opened", None, "Streams of events that were opened"), counts.opened);
        all.counter(
            ("event_streams_refused", None, "Streams of events that were refused for streams_max"),
            counts.refused,
        );
        all.gauge(("events_kept", None, "Events that are kept for streams that resume"), counts.kept_messages);
        all.gauge(("events_kept", Some(Unit::Bytes), "What those take, by ring_bytes_max"), counts.kept_bytes);
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        Box::pin(async move {
            self.hub.end();
            self.followers.close();
            let ended = async {
                self.hub.all_gone().await;
                // What they were given is on its way then.
                self.followers.wait().await;
            };
            let _ = timeout_at(deadline.into(), ended).await;
            let given_up = self.hops.iter().map(|hop| {
                hop.close();
                let counts = hop.figures();
                counts.in_flight + counts.dropped(Reason::Abandoned)
            });
            given_up.sum()
        })
    }
}
