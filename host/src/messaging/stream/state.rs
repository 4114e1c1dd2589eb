//! What the loop and the handle of a socket share.

use super::sink::StreamSink;
use crate::flow::Statistics;
use crate::ledger::Hop;
use crate::messaging::socket::name_states::NameStates;
use crate::messaging::socket::statistics::SocketStatistics;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The number of a socket. It is never used again.
pub(super) type SocketId = u64;

/// The state of one socket. Its loop writes it, and any thread may read it.
pub(super) struct SocketState {
    pub(super) name: Arc<str>,
    pub(super) statistics: Arc<SocketStatistics>,
    /// None if it does not read.
    pub(super) reads: Option<Arc<Hop>>,
    /// None if it does not write.
    pub(super) sink: Option<Arc<StreamSink>>,
    /// None if its messages are not numbered.
    pub(super) gaps: Option<GapCounts>,
    pub(super) is_paused: AtomicBool,
    /// A message is held until a flow has room for it.
    pub(super) holds: AtomicBool,
    /// The names that it connects to.
    pub(super) names: Arc<NameStates>,
}

/// What the numbers of messages told.
#[derive(Default)]
pub(super) struct GapCounts {
    pub(super) gaps: AtomicU64,
    pub(super) missing: AtomicU64,
    pub(super) unreadable: AtomicU64,
}

impl SocketState {
    pub(super) fn new(
        name: &Arc<str>,
        statistics: SocketStatistics,
        reads: Option<Arc<Hop>>,
        sink: Option<Arc<StreamSink>>,
        counts_gaps: bool,
    ) -> Self {
        Self {
            name: Arc::clone(name),
            statistics: Arc::new(statistics),
            reads,
            sink,
            gaps: counts_gaps.then(GapCounts::default),
            is_paused: AtomicBool::new(false),
            holds: AtomicBool::new(false),
            names: Arc::default(),
        }
    }

    /// Adds the statistics of the socket.
    pub(super) fn add_to(&self, statistics: &mut Statistics) {
        self.statistics.add_to(statistics, &self.name);
        self.names.add_to(statistics, &self.name);
        let mut counted = statistics.of(Some(("socket", &self.name)));
        if let Some(GapCounts { gaps, missing, unreadable }) = &self.gaps {
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            counted.counter(("socket_sequence_gaps", None, "Gaps in the numbers of messages"), read(gaps));
            counted.counter(
                ("socket_sequence_missing_messages", None, "Messages that did not come, by the numbers of others"),
                read(missing),
            );
            counted.counter(
                (
                    "socket_sequence_unreadable",
                    None,
                    "Messages whose frame for the number is missing, or not eight bytes",
                ),
                read(unreadable),
            );
        }
        if let Some(sink) = &self.sink {
            let says = "Messages that wait to be handed to libzmq";
            counted.gauge(("socket_waiting_messages", None, says), sink.queue.len() as u64);
        }
        if self.reads.is_some() {
            let says = "Whether a message is held until a flow has room, and no other is read";
            counted.gauge(("socket_held_messages", None, says), u64::from(self.holds.load(Ordering::Relaxed)));
        }
    }
}
