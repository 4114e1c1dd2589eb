//! A watch over the taps: which messages it is for, how many it is shown, and those that wait to be told of.

use super::Taps;
use super::passing::{Passing, Seen};
use crate::config::{TAIL_QUEUE_BYTES_MAX, TAIL_QUEUE_MESSAGES_MAX};
use crate::flow::mailbox::Mailbox;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Which messages are shown, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The one place whose messages are shown, as [`Place::parts`](super::Place::parts) has it.
    pub place: Option<(&'static str, String)>,
    /// How the topic has to begin; whatever has no topic is left out then.
    pub topic: Vec<u8>,
    /// What has to stand somewhere in that which is shown.
    pub text: Vec<u8>,
    /// How many a second are shown at most.
    pub rate: u32,
    /// Whether bodies and metadata are shown.
    pub with_bodies: bool,
}

/// A watch, as those see it who have messages go by.
#[derive(Debug)]
pub(super) struct Watcher {
    choice: Choice,
    sample: Mutex<Sample>,
    skipped: AtomicU64,
    seen: Mailbox<Seen>,
}

/// Lets one message through in each part of a second, and a burst of as many as in a second after a rest.
#[derive(Debug)]
struct Sample {
    interval: Duration,
    /// Until when the messages that were let through have used up their parts.
    used_until: Instant,
}

impl Sample {
    fn new(rate: u32, now: Instant) -> Self {
        Self { interval: Duration::from_secs(1) / rate.max(1), used_until: now }
    }

    fn lets_through(&mut self, now: Instant) -> bool {
        let begins = self.used_until.max(now);
        let is_let = begins + self.interval <= now + Duration::from_secs(1);
        if is_let {
            self.used_until = begins + self.interval;
        }
        is_let
    }
}

impl Watcher {
    pub(super) fn new(choice: Choice) -> Self {
        let sample = Mutex::new(Sample::new(choice.rate, Instant::now()));
        let seen = Mailbox::new(TAIL_QUEUE_MESSAGES_MAX, TAIL_QUEUE_BYTES_MAX);
        Self { choice, sample, skipped: AtomicU64::new(0), seen }
    }

    /// A message goes by.
    pub(super) fn see(&self, passing: &Passing<'_>) {
        if !self.wants(passing) {
            return;
        }
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let is_shown = sample.lets_through(Instant::now()) && {
            drop(sample);
            let seen = passing.seen(self.choice.with_bodies);
            self.seen.push(seen.bytes_held(), || seen).is_ok()
        };
        if !is_shown {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wants(&self, passing: &Passing<'_>) -> bool {
        let Choice { place, topic, text, with_bodies, .. } = &self.choice;
        let is_there = place.as_ref().is_none_or(|(kind, name)| passing.place.parts() == (*kind, name));
        let has_topic = || topic.is_empty() || passing.topic().is_some_and(|found| found.starts_with(topic));
        is_there && has_topic() && passing.shows(text, *with_bodies)
    }

    pub(super) fn end(&self) {
        self.seen.close();
    }
}

/// A watch, as who watches holds it. It ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    watcher: Arc<Watcher>,
    taps: Taps,
}

impl Watch {
    pub(super) fn new(watcher: Arc<Watcher>, taps: Taps) -> Self {
        Self { watcher, taps }
    }

    /// The next message that is shown; none once the host ends.
    pub async fn next(&self) -> Option<Seen> {
        poll_fn(|context| match self.watcher.seen.poll_take(context) {
            Poll::Ready(taken) => Poll::Ready(taken.map(|(seen, _room)| seen)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// How many went by since this was last asked that it is for and that were not shown.
    pub fn take_skipped(&self) -> u64 {
        self.watcher.skipped.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watcher.end();
        self.taps.leave(&self.watcher);
    }
}
