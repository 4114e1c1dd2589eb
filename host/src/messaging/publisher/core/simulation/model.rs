//! A model of the publisher: what has to hold, derived from what goes in and comes out alone.

use super::super::{BATCH, CHANGES, Outcome, TURN};
use crate::config::OnFull;
use crate::ledger::{Hop, Reason};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// How many steps a message may take: attempts for one second, which wait 6 ms in six steps each, and one turn of
/// changes.
pub(super) const MESSAGE_STEPS_MAX: u64 = 6 * 1_000 / 6 + CHANGES as u64 + 50;
/// The same from one attempt to the next.
const RETRY_STEPS_MAX: u64 = CHANGES as u64 + 20;

/// A message that was accepted, and is neither sent nor dropped.
struct Expected {
    number: u64,
    topic: &'static str,
    bytes: usize,
    was_full: bool,
    /// Steps since it is in front, and since it was tried last.
    steps: u64,
    steps_since_attempt: u64,
}

/// A turn in which changes of subscriptions are received.
struct Turn {
    since: Instant,
    changes: usize,
    is_dry: bool,
}

pub(super) struct Model {
    on_full: OnFull,
    items_max: usize,
    bytes_max: usize,
    accepted: u64,
    /// How many of the accepted messages are still in the mailbox.
    queued: usize,
    waiting: VecDeque<Expected>,
    out: u64,
    dropped: BTreeMap<Reason, u64>,
    latest: BTreeMap<&'static str, u64>,
    turn: Option<Turn>,
    sent_since_listen: usize,
}

impl Model {
    pub(super) fn new(on_full: OnFull, items_max: usize, bytes_max: usize) -> Self {
        Self {
            on_full,
            items_max,
            bytes_max,
            accepted: 0,
            queued: 0,
            waiting: VecDeque::new(),
            out: 0,
            dropped: BTreeMap::new(),
            latest: BTreeMap::new(),
            turn: None,
            sent_since_listen: 0,
        }
    }

    /// How many messages were accepted so far.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many accepted messages are neither sent nor dropped.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The latest message of a topic that was sent or dropped.
    pub(super) fn latest(&self, topic: &str) -> Option<u64> {
        self.latest.get(topic).copied()
    }

    pub(super) fn accept(&mut self, topic: &'static str, bytes: usize) {
        self.accepted += 1;
        self.queued += 1;
        let number = self.accepted;
        self.waiting.push_back(Expected { number, topic, bytes, was_full: false, steps: 0, steps_since_attempt: 0 });
        let bytes: usize = self.waiting.iter().map(|message| message.bytes).sum();
        assert!(bytes <= self.bytes_max || self.waiting.len() == 1, "{bytes} bytes wait");
        assert!(self.waiting.len() <= self.items_max, "{} messages wait", self.waiting.len());
    }

    pub(super) fn take(&mut self) {
        self.all_is_sent();
        self.queued = 0;
    }

    /// All messages that were taken are sent or dropped.
    pub(super) fn all_is_sent(&self) {
        assert_eq!(self.waiting.len(), self.queued, "it rests, and messages wait that it has taken");
    }

    pub(super) fn listen(&mut self, now: Instant) {
        self.sent_since_listen = 0;
        self.turn = Some(Turn { since: now, changes: 0, is_dry: false });
    }

    pub(super) fn receive(&mut self, any: bool) {
        let Some(turn) = &mut self.turn else { panic!("a change is received out of turn") };
        turn.changes += usize::from(any);
        turn.is_dry = !any;
    }

    /// The turn is over, since another action follows.
    pub(super) fn end_turn(&mut self, now: Instant) {
        let fair = |turn: Turn| turn.is_dry || turn.changes >= CHANGES || now - turn.since >= TURN;
        assert!(self.turn.take().is_none_or(fair), "subscribers had less than their turn");
    }

    /// A message was tried.
    pub(super) fn send(&mut self, number: u64, topic: &str, outcome: Outcome) {
        let front = self.waiting.front_mut().expect("a message that was accepted");
        assert_eq!(
            (number, topic),
            (front.number, front.topic),
            "a message out of order, or one before it ended uncounted"
        );
        front.steps_since_attempt = 0;
        front.was_full = outcome == Outcome::Full;
        match outcome {
            Outcome::Out => self.settle(None),
            Outcome::Full => {}
            Outcome::NoSubscriber => self.settle(Some(Reason::NoSubscriber)),
            Outcome::Failed => self.settle(Some(Reason::SendFailed)),
        }
    }

    /// Notices a message that was given up.
    pub(super) fn look_for_given_up(&mut self, hop: &Hop, now: Instant, end: Option<Instant>) {
        let full = Reason::SubscriberFull;
        if hop.figures().dropped(full) > self.dropped.get(&full).copied().unwrap_or(0) {
            let front = self.waiting.front().expect("a message to give up");
            assert!(front.was_full, "{} was given up without an attempt", front.number);
            let may = self.on_full != OnFull::Block || end.is_some_and(|end| now >= end);
            assert!(may, "{} was to wait", front.number);
            self.settle(Some(full));
        }
    }

    fn settle(&mut self, reason: Option<Reason>) {
        let Some(message) = self.waiting.pop_front() else { panic!("an end of no message") };
        self.latest.insert(message.topic, message.number);
        self.sent_since_listen += 1;
        match reason {
            None => self.out += 1,
            Some(reason) => *self.dropped.entry(reason).or_default() += 1,
        }
    }

    /// What has to hold after every step, of the ledger and of the mailbox.
    pub(super) fn check(&mut self, hop: &Hop, in_mailbox: usize) {
        let counts = hop.figures();
        assert!(counts.balanced(), "{counts:?}");
        assert_eq!((counts.entered, counts.out, &counts.dropped), (self.accepted, self.out, &self.dropped));
        assert_eq!(counts.in_flight, self.waiting.len() as u64);
        assert_eq!(in_mailbox, self.waiting.len(), "what is in flight has room, and nothing else");
        assert!(
            self.sent_since_listen <= BATCH,
            "{} messages were sent before subscribers were listened to",
            self.sent_since_listen
        );
        let are_taken = self.queued < self.waiting.len();
        if let Some(front) = self.waiting.front_mut().filter(|_| are_taken) {
            front.steps += 1;
            front.steps_since_attempt += 1;
            assert!(front.steps_since_attempt < RETRY_STEPS_MAX, "{} is not tried again", front.number);
            let waits = self.on_full == OnFull::Block;
            assert!(waits || front.steps < MESSAGE_STEPS_MAX, "{} comes to no end", front.number);
        }
    }
}
