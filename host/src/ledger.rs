//! The ledger: what came in at each hop, what went out, and why the rest did not.
//!
//! At every hop `in = out + dropped + in flight`, at every moment that it is read: a thread changes the figures of a hop under
//! a lock of its own, and who reads them holds all of these. Whatever enters a hop holds a [`Passage`] until its end is known, so that nothing can leave
//! uncounted: a passage that is let go without a verdict counts as [`Reason::Abandoned`], or, as long as the host goes on and
//! somebody waited for it, as [`Reason::ClientGone`].

mod hop;
mod peer_queues;
mod reason;
mod report;

pub use hop::{Hop, Passage};
pub use peer_queues::PeerQueues;
pub use reason::Reason;
pub use report::Report;

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All hops of a host, each counting one unit.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// HTTP requests; any answer is out.
    pub http: Arc<Hop>,
    /// Calls of transforms.
    pub transform: Arc<Hop>,
    /// Calls of HTTP handlers; a response that came whole is out.
    pub handler: Arc<Hop>,
    /// Messages with a place in the publish queue; handed to libzmq is out.
    pub publish: Arc<Hop>,
    /// Requests of broker clients; answered with any number of replies, none included, is out.
    pub policy: Arc<Hop>,
    /// Replies that wait for their time.
    pub schedule: Arc<Hop>,
    /// Replies that are due; handed to libzmq is out.
    pub reply: Arc<Hop>,
    /// Dead letters; written to the file is out.
    pub dead_letter: Arc<Hop>,
}

impl Ledger {
    /// The hops with their names, in the order of the data paths.
    pub fn hops(&self) -> [(&'static str, &Arc<Hop>); 8] {
        [
            ("http", &self.http),
            ("transform", &self.transform),
            ("handler", &self.handler),
            ("publish", &self.publish),
            ("policy", &self.policy),
            ("schedule", &self.schedule),
            ("reply", &self.reply),
            ("dead-letter", &self.dead_letter),
        ]
    }

    /// What went with the queues of each socket's peers, by the socket's name.
    pub fn sockets(&self) -> [(&'static str, &PeerQueues); 2] {
        [("publish", self.publish.peer_queues()), ("frontend", self.reply.peer_queues())]
    }
}

/// The figures of one hop, read together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
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

impl Figures {
    /// How much was dropped for one reason.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped.get(&reason).copied().unwrap_or(0)
    }

    /// Whether in = out + dropped + in flight.
    pub fn balanced(&self) -> bool {
        self.entered == self.out + self.dropped.values().sum::<u64>() + self.in_flight
    }
}
