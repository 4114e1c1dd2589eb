//! What a sink of JetStream has sent and what is to be sent again, without I/O: messages are kept in their order, each until it
//! is acknowledged.
//!
//! Once one is not acknowledged, nothing new is sent: all that were sent after it are waited for, and those that were not
//! acknowledged go again, in their order, before others. What was stored though nobody heard of it is known by its id. So a
//! stream has each message once. It has them in the order in which they were offered, but where the connection ended: what the
//! client had not written by then is written by the next one, before those that go again.

use crate::backbone::retry;
use crate::ledger::Reason;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The pause before what was not acknowledged goes again: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What became of one message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is stored.
    Acknowledged,
    /// It will never be, for this reason.
    Refused(Reason),
    /// Nobody knows: there was no answer, or the servers cannot say now.
    Unknown(String),
}

/// The messages of one sink that are not acknowledged.
pub(super) struct SendingCore<T> {
    unacknowledged: BTreeMap<u64, T>,
    /// That of the next message that comes.
    next_number: u64,
    /// The first that is to be sent; all before it were.
    cursor: u64,
    /// Those that were sent and not answered.
    outstanding: usize,
    in_flight_max: usize,
    /// Since when one is to go again, and how often in a row that was so.
    failing: Option<Failing>,
}

struct Failing {
    /// All that is outstanding is to be answered first, and this be over.
    until: Instant,
    /// It is being sent again: whatever is sent counts as a new try.
    is_sending: bool,
    times: u32,
    why: String,
}

impl<T> SendingCore<T> {
    pub(super) fn new(in_flight_max: usize) -> Self {
        let (unacknowledged, failing) = Default::default();
        Self { unacknowledged, next_number: 0, cursor: 0, outstanding: 0, in_flight_max, failing }
    }

    /// Whether another message may be taken in.
    pub(super) fn has_room(&self) -> bool {
        self.unacknowledged.len() < self.in_flight_max && self.failing.is_none()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    /// Takes in a message, which is sent in its turn.
    pub(super) fn add(&mut self, message: T) {
        self.unacknowledged.insert(self.next_number, message);
        self.next_number += 1;
    }

    /// The message that is to be sent now, with its number: one that is asked for is sent.
    pub(super) fn next(&mut self, now: Instant) -> Option<(u64, &T)> {
        if let Some(failing) = &mut self.failing
            && !failing.is_sending
        {
            if self.outstanding > 0 || now < failing.until {
                return None;
            }
            failing.is_sending = true;
            self.cursor = 0;
        }
        let (number, message) = self.unacknowledged.range(self.cursor..).next()?;
        self.cursor = number + 1;
        self.outstanding += 1;
        Some((*number, message))
    }

    /// A message was answered. Returns it, with its end, if that is its end.
    pub(super) fn answered(&mut self, number: u64, answer: Answer, now: Instant) -> Option<(T, Result<(), Reason>)> {
        self.outstanding = self.outstanding.saturating_sub(1);
        let verdict = match answer {
            Answer::Acknowledged => Ok(()),
            Answer::Refused(reason) => Err(reason),
            Answer::Unknown(why) => {
                self.fail(why, now);
                return None;
            }
        };
        let message = self.unacknowledged.remove(&number)?;
        let is_over = self.outstanding == 0 && self.unacknowledged.range(self.cursor..).next().is_none();
        if self.failing.as_ref().is_some_and(|failing| failing.is_sending && is_over) {
            self.failing = None;
        }
        Some((message, verdict))
    }

    /// The connection has ended: what is outstanding is not answered any more.
    pub(super) fn disconnected(&mut self, now: Instant) {
        self.outstanding = 0;
        if !self.unacknowledged.is_empty() {
            self.fail("the connection ended".to_owned(), now);
            // Whoever has no connection waits for that.
            self.failing.iter_mut().for_each(|failing| failing.until = now);
        }
    }

    fn fail(&mut self, why: String, now: Instant) {
        let times = match &self.failing {
            // Several that were sent together fail once.
            Some(Failing { is_sending: false, times, .. }) => *times,
            Some(Failing { times, .. }) => times + 1,
            None => 1,
        };
        let until = match &self.failing {
            Some(Failing { is_sending: false, until, .. }) => *until,
            _ => now + retry::doubled(PAUSE, PAUSE_MAX, times),
        };
        self.failing = Some(Failing { until, is_sending: false, times, why });
    }

    /// When something may be sent again, if nothing happens before.
    pub(super) fn due(&self) -> Option<Instant> {
        self.failing
            .as_ref()
            .filter(|failing| !failing.is_sending && self.outstanding == 0)
            .map(|failing| failing.until)
    }

    /// Why messages are sent again, if they are for the second time or more.
    pub(super) fn complaint(&self) -> Option<&str> {
        self.failing.as_ref().filter(|failing| failing.times > 1).map(|failing| failing.why.as_str())
    }
}
