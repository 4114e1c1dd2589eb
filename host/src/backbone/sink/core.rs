//! What a sink of JetStream has sent and what is to be sent again, without I/O: messages are kept in their order, each until it
//! is acknowledged.
//!
//! Once one is not acknowledged, nothing new is sent: all that were sent after it are waited for, and those that were not
//! acknowledged go again, a few at a time, in their order, before others. What was stored though nobody heard of it is known by its
//! id. So a stream has each message once. It has them in the order in which they were offered, except where the servers stored one
//! and not the one before it, and where the connection ended: what the client had not written by then is written by the next one,
//! before those that go again.

use crate::backbone::retry;
use crate::ledger::Reason;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pause before what was not acknowledged goes again: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Messages that go again at a time: nothing is known of the servers but that something failed.
const AGAIN_MAX: usize = 64;

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
    /// From the first that is not acknowledged on; none in the place of one that has come to its end.
    window: VecDeque<Option<Kept<T>>>,
    /// The number of the first in the window.
    base: u64,
    /// The number of the first that is to be sent; all before it were.
    cursor: u64,
    /// Those that were sent and not answered.
    outstanding: usize,
    in_flight_max: usize,
    /// For an answer to come.
    answer_time_max: Duration,
    /// Since when one is to go again, and how often in a row that was so.
    failing: Option<Failing>,
}

struct Kept<T> {
    message: T,
    /// When, while it is outstanding.
    sent: Option<Instant>,
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
    pub(super) fn new(in_flight_max: usize, answer_time_max: Duration) -> Self {
        let (window, failing) = Default::default();
        Self { window, base: 0, cursor: 0, outstanding: 0, in_flight_max, answer_time_max, failing }
    }

    /// Whether another message may be taken in: so many at most lie between the first that is not acknowledged and the last.
    pub(super) fn has_room(&self) -> bool {
        self.window.len() < self.in_flight_max && self.failing.is_none()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// That of the next message that is taken in.
    pub(super) fn next_number(&self) -> u64 {
        self.base + self.window.len() as u64
    }

    /// Takes in a message, which is sent in its turn.
    pub(super) fn add(&mut self, message: T) {
        self.window.push_back(Some(Kept { message, sent: None }));
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
            self.cursor = self.base;
        }
        if self.failing.is_some() && self.outstanding >= AGAIN_MAX {
            return None;
        }
        let number = self.first_unsent()?;
        self.cursor = number + 1;
        self.outstanding += 1;
        let kept = self.window[(number - self.base) as usize].as_mut()?;
        kept.sent = Some(now);
        Some((number, &kept.message))
    }

    /// The number of the first from the cursor on that has not come to its end.
    fn first_unsent(&self) -> Option<u64> {
        let from = self.cursor.max(self.base);
        let rest = self.window.range((from - self.base) as usize..);
        rest.zip(from..).find_map(|(kept, number)| kept.is_some().then_some(number))
    }

    /// A message that was sent, and has not come to its end.
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        let index = number.checked_sub(self.base)?;
        self.window.get(usize::try_from(index).ok()?)?.as_ref().map(|kept| &kept.message)
    }

    /// The numbers of those that are outstanding and like this.
    pub(super) fn outstanding(&self, is_like: impl Fn(&T) -> bool) -> Vec<u64> {
        let like = |kept: &Kept<T>| kept.sent.is_some() && is_like(&kept.message);
        let all = self.window.iter().zip(self.base..);
        all.filter(|(kept, _)| kept.as_ref().is_some_and(like)).map(|(_, number)| number).collect()
    }

    /// A message was answered, maybe not for the first time, and maybe so late that it was given up. Returns it, with its end, if
    /// that is its end.
    pub(super) fn answered(&mut self, number: u64, answer: Answer, now: Instant) -> Option<(T, Result<(), Reason>)> {
        let index = usize::try_from(number.checked_sub(self.base)?).ok()?;
        let kept = self.window.get_mut(index)?.as_mut()?;
        let was_outstanding = kept.sent.take().is_some();
        self.outstanding -= usize::from(was_outstanding);
        let verdict = match answer {
            Answer::Acknowledged => Ok(()),
            Answer::Refused(reason) => Err(reason),
            Answer::Unknown(why) => {
                if was_outstanding {
                    self.fail(why, now);
                }
                return None;
            }
        };
        let message = self.window[index].take()?.message;
        while let Some(None) = self.window.front() {
            self.window.pop_front();
            self.base += 1;
        }
        let is_sending = self.failing.as_ref().is_some_and(|failing| failing.is_sending);
        if self.window.is_empty() || is_sending && self.outstanding == 0 && self.first_unsent().is_none() {
            self.failing = None;
        }
        Some((message, verdict))
    }

    /// Gives up those that have waited for their answers for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        let answer_time_max = self.answer_time_max;
        let is_late = |sent: &mut Instant| *sent + answer_time_max <= now;
        let late = self.window.iter_mut().flatten().filter_map(|kept| kept.sent.take_if(is_late)).count();
        self.outstanding -= late;
        if late > 0 {
            self.fail(format!("no answer within {} ms", answer_time_max.as_millis()), now);
        }
    }

    /// When the outstanding one was sent that was sent first.
    fn oldest(&self) -> Option<Instant> {
        if self.outstanding == 0 {
            return None;
        }
        // They are sent in their order, and all of them again before the next.
        self.window.iter().flatten().find_map(|kept| kept.sent)
    }

    /// The connection has ended: what is outstanding is not answered any more.
    pub(super) fn disconnected(&mut self, now: Instant) {
        self.outstanding = 0;
        self.window.iter_mut().flatten().for_each(|kept| kept.sent = None);
        if !self.window.is_empty() {
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

    /// When something is to be done, if nothing happens before: to send again, or to give an answer up.
    pub(super) fn due(&self) -> Option<Instant> {
        match (&self.failing, self.oldest()) {
            (_, Some(sent)) => Some(sent + self.answer_time_max),
            (Some(failing), None) if !failing.is_sending => Some(failing.until),
            _ => None,
        }
    }

    /// Why messages are sent again, if they are for the second time or more.
    pub(super) fn complaint(&self) -> Option<&str> {
        self.failing.as_ref().filter(|failing| failing.times > 1).map(|failing| failing.why.as_str())
    }
}
