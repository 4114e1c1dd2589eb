//! The messages that were thrown away with the queues between a socket and its peers, which no hop counts.

use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The messages that were in the queues of a socket's peers when these queues ended: the peer was cut off or went by
/// itself, its key was removed, or the host ended and it did not take them in time.
///
/// They went out of the hop before the socket, each once, and are no end of its own in `in = out + dropped + in
/// flight`: one message may have been queued to several peers, and have arrived at some of them.
#[derive(Clone, Debug, Default)]
pub struct PeerQueues {
    /// To peers; from peers. Shared with libzmq, which counts.
    counts: Arc<[AtomicU64; 2]>,
}

impl PeerQueues {
    /// Messages to peers that were thrown away with their queues. A message that was queued to several peers counts for
    /// each.
    pub fn cut_off(&self) -> u64 {
        self.counts[0].load(Ordering::Relaxed)
    }

    /// Messages from peers that had arrived and were thrown away unread.
    pub fn unread(&self) -> u64 {
        self.counts[1].load(Ordering::Relaxed)
    }

    /// Both, as of now.
    pub fn figures(&self) -> PeerQueueCounts {
        PeerQueueCounts { cut_off: self.cut_off(), unread: self.unread() }
    }

    /// Whether both count the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.counts, &other.counts)
    }

    /// Both counters, in this order, for libzmq to count in.
    pub fn counts(&self) -> Arc<[AtomicU64; 2]> {
        Arc::clone(&self.counts)
    }
}

/// The counts of one socket, as of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PeerQueueCounts {
    /// Messages to peers.
    pub cut_off: u64,
    /// Messages from peers.
    pub unread: u64,
}
