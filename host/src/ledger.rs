//! The ledger: what came in at each hop, what went out, and why the rest did not.
//!
//! At every hop `in = out + dropped + in flight`, at every moment that it is read: each thread changes the counts of a
//! hop under the lock of its own shard, and a reader holds the locks of all shards. Whatever enters a hop holds a
//! [`Passage`] until its end is known, so that nothing can leave uncounted: a passage that is dropped without a verdict
//! counts as [`Reason::Abandoned`], or, as long as the hop is not closed and a client waited for it, as
//! [`Reason::ClientGone`].

mod difference;
mod hop;
mod peer_queues;
mod reason;
mod report;
mod sharded_count;
mod snapshot;
mod snapshots;

pub use difference::Difference;
pub use hop::{Hop, Passage};
pub use peer_queues::{PeerQueueCounts, PeerQueues};
pub use reason::Reason;
pub use report::Report;
pub use sharded_count::ShardedCount;
pub use snapshot::{LedgerMark, Snapshot};
pub use snapshots::Snapshots;

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The hops of a host, and what was thrown away with the queues of its sockets' peers; by name, in the order in which
/// they were first asked for. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    hops: Vec<(Arc<str>, Arc<Hop>)>,
    sockets: Vec<(Arc<str>, PeerQueues)>,
}

impl Ledger {
    /// The hop of this name, which is made if there is none.
    pub fn hop(&self, name: &str) -> Arc<Hop> {
        let hops = &mut self.lock().hops;
        if let Some((_, hop)) = hops.iter().find(|(known, _)| **known == *name) {
            return Arc::clone(hop);
        }
        let hop = Arc::new(Hop::default());
        hops.push((name.into(), Arc::clone(&hop)));
        hop
    }

    /// Adds a socket to the report, under this name. Messages that go out of `hop` go to the socket. One that is opened
    /// again goes on with its counts.
    pub fn name_socket(&self, name: &str, hop: &Hop) {
        let (sockets, queues) = (&mut self.lock().sockets, hop.peer_queues());
        if !sockets.iter().any(|(known, counted)| **known == *name && counted.is(queues)) {
            sockets.push((name.into(), queues.clone()));
        }
    }

    /// The hops with their names.
    pub fn hops(&self) -> Vec<(Arc<str>, Arc<Hop>)> {
        self.lock().hops.clone()
    }

    /// What was thrown away with the queues of each socket's peers, by the socket's name.
    pub fn sockets(&self) -> Vec<(Arc<str>, PeerQueues)> {
        self.lock().sockets.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counts of one hop, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HopCounts {
    /// What came in.
    #[serde(rename = "in")]
    pub entered: u64,
    /// What went out.
    pub out: u64,
    /// What is inside now: a gauge of its own, not a difference.
    pub in_flight: u64,
    /// What came to another end, by reason.
    pub dropped: BTreeMap<Reason, u64>,
}

impl HopCounts {
    /// How much was dropped for one reason.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped.get(&reason).copied().unwrap_or(0)
    }

    /// Whether in = out + dropped + in flight.
    pub fn balanced(&self) -> bool {
        self.entered == self.out + self.dropped.values().sum::<u64>() + self.in_flight
    }
}
