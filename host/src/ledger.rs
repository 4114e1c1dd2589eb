//! The ledger: what came in at each hop, what went out, and why the rest did not.
//!
//! At every hop `in = out + dropped + in flight`, at every moment that it is read: the figures of a hop change and are
//! read under one lock. Whatever enters a hop holds a [`Passage`] until its end is known, so that nothing can leave
//! uncounted: a passage that is let go without a verdict counts as [`Reason::Abandoned`], or, as long as the host goes on and
//! somebody waited for it, as [`Reason::ClientGone`].

mod peer_queues;
mod report;

pub use peer_queues::PeerQueues;
pub use report::Report;

use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why something that came in at a hop did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The host gave it up unfinished: the grace period ended, or a part of the host.
    Abandoned,
    /// Who asked ended the connection before the answer.
    ClientGone,
    /// The client does not read its replies, and its queue is full.
    ClientFull,
    /// The call of the plugin failed; the transform and policy hops say how.
    CallFailed,
    /// The plugin ran longer than its deadline.
    DeadlineExceeded,
    /// A reply was to wait longer than it may.
    DelayTooLong,
    /// No plugin is loaded in the slot.
    EmptySlot,
    /// The plugin returned an error that it calls its own.
    Failed,
    /// The client's key was taken off the list of those that are let in.
    KeyRemoved,
    /// As many dead letters as may wait to be written.
    LettersFull,
    /// An envelope with nothing in it, as a ROUTER sends it to find out who is there.
    NoBody,
    /// A reply had nothing to send.
    NoFrames,
    /// The handler ended without a response.
    NoResponse,
    /// Nobody subscribes to the message's topic.
    NoSubscriber,
    /// The plugin wanted more memory than it may have.
    OverMemory,
    /// The plugin's answer was larger than it may be.
    OverOutput,
    /// The plugin used up its stack.
    OverStack,
    /// The plugin wanted larger tables than it may have.
    OverTable,
    /// The host's own code panicked over it.
    Panicked,
    /// The plugin kept failing, and rests.
    Paused,
    /// The queue was full.
    QueueFull,
    /// The plugin said that the input is at fault.
    Rejected,
    /// libzmq refused the message for another reason.
    SendFailed,
    /// A subscriber has no room for the message.
    SubscriberFull,
    /// Larger than the bounds on frames and their number.
    TooLarge,
    /// As many calls of the plugin as may be were running already.
    TooManyCalls,
    /// More replies than one request may have.
    TooManyReplies,
    /// As many replies wait for the client as may.
    TooManyWaiting,
    /// The plugin trapped.
    Trapped,
    /// The client that the reply is for is no longer connected.
    Unroutable,
    /// The file took no dead letter: its disk is full, say.
    WriteFailed,
}

impl Reason {
    /// The name under which the reason is counted and reported.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::ClientGone => "client-gone",
            Self::ClientFull => "client-full",
            Self::CallFailed => "call-failed",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::DelayTooLong => "delay-too-long",
            Self::EmptySlot => "empty-slot",
            Self::Failed => "failed",
            Self::KeyRemoved => "key-removed",
            Self::LettersFull => "letters-full",
            Self::NoBody => "no-body",
            Self::NoFrames => "no-frames",
            Self::NoResponse => "no-response",
            Self::NoSubscriber => "no-subscriber",
            Self::OverMemory => "over-memory",
            Self::OverOutput => "over-output",
            Self::OverStack => "over-stack",
            Self::OverTable => "over-table",
            Self::Panicked => "panicked",
            Self::Paused => "paused",
            Self::QueueFull => "queue-full",
            Self::Rejected => "rejected",
            Self::SendFailed => "send-failed",
            Self::SubscriberFull => "subscriber-full",
            Self::TooLarge => "too-large",
            Self::TooManyCalls => "too-many-calls",
            Self::TooManyReplies => "too-many-replies",
            Self::TooManyWaiting => "too-many-waiting",
            Self::Trapped => "trapped",
            Self::Unroutable => "unroutable",
            Self::WriteFailed => "write-failed",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

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
        [("publish", &self.publish.peer_queues), ("frontend", &self.reply.peer_queues)]
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

/// The counters of one hop.
#[derive(Debug, Default)]
pub struct Hop {
    figures: Mutex<Figures>,
    peer_queues: PeerQueues,
    closed: AtomicBool,
}

impl Hop {
    /// Counts one unit in; what is returned counts its end.
    pub fn enter(self: &Arc<Self>) -> Passage {
        let mut figures = self.lock();
        figures.entered += 1;
        figures.in_flight += 1;
        let number = figures.entered;
        drop(figures);
        Passage { hop: Arc::clone(self), number, verdict: None, of_client: false }
    }

    /// From now on whatever is let go is given up by the host, whoever waits for it.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Counts one unit that came in and was dropped on the spot.
    pub fn refuse(self: &Arc<Self>, reason: Reason) {
        self.enter().dropped(reason);
    }

    /// Counts one unit that came in and went out on the spot.
    pub fn pass(&self) {
        let mut figures = self.lock();
        figures.entered += 1;
        figures.out += 1;
    }

    /// Of a hop that ends in a socket: what came after it.
    pub fn peer_queues(&self) -> &PeerQueues {
        &self.peer_queues
    }

    /// All figures as of one moment.
    pub fn figures(&self) -> Figures {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        // The figures are whole at every panic: each change is a few additions.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One unit inside a hop, from its entry to its end.
#[derive(Debug)]
#[must_use = "a passage that is dropped counts as abandoned"]
pub struct Passage {
    hop: Arc<Hop>,
    number: u64,
    verdict: Option<Result<(), Reason>>,
    of_client: bool,
}

impl Passage {
    /// Which one it is of all that came in, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Somebody waits for it, and may give it up by going away.
    pub fn of_client(mut self) -> Self {
        self.of_client = true;
        self
    }

    /// The unit went out.
    pub fn out(mut self) {
        self.verdict = Some(Ok(()));
    }

    /// The unit did not go out.
    pub fn dropped(mut self, reason: Reason) {
        self.verdict = Some(Err(reason));
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let given_up = match self.of_client && !self.hop.closed.load(Ordering::Relaxed) {
            true => Reason::ClientGone,
            false => Reason::Abandoned,
        };
        let mut figures = self.hop.lock();
        figures.in_flight -= 1;
        match self.verdict.unwrap_or(Err(given_up)) {
            Ok(()) => figures.out += 1,
            Err(reason) => *figures.dropped.entry(reason).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_is_counted_once() {
        let hop = Arc::new(Hop::default());
        hop.enter().out();
        hop.enter().dropped(Reason::TooLarge);
        drop(hop.enter());
        hop.refuse(Reason::QueueFull);
        hop.pass();
        let inside = hop.enter();

        let figures = hop.figures();
        assert_eq!((figures.entered, figures.out, figures.in_flight), (6, 2, 1));
        for reason in [Reason::TooLarge, Reason::Abandoned, Reason::QueueFull] {
            assert_eq!(figures.dropped(reason), 1, "{reason:?}");
        }
        assert!(figures.balanced());
        inside.out();
        assert_eq!(hop.figures().in_flight, 0);
    }

    #[test]
    fn a_client_gives_up_as_long_as_the_host_does_not() {
        let hop = Arc::new(Hop::default());
        drop(hop.enter().of_client());
        let inside = hop.enter().of_client();
        hop.close();
        drop(inside);
        drop(hop.enter().of_client());
        hop.enter().of_client().out();
        let figures = hop.figures();
        assert_eq!((figures.dropped(Reason::ClientGone), figures.dropped(Reason::Abandoned), figures.out), (1, 2, 1));
    }
}
