//! The ring: the newest events, in order, for the dispatcher and for streams that resume.

use super::event::Event;
use crate::flow::Frames;
use crate::ledger::{Hop, Passage, Reason};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;

/// The newest events. What the dispatcher has not taken yet is the end of it.
pub(super) struct Ring {
    messages_max: usize,
    bytes_max: usize,
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The number of the next event.
    next: u64,
    /// The passages of those that the dispatcher has not taken.
    waiting: VecDeque<Passage>,
    /// Whether there is any stream. Without one nothing waits for the dispatcher.
    is_watched: bool,
    /// Whether the dispatcher has to be woken.
    is_asleep: bool,
}

/// What an event that was put into the ring has brought about.
pub(super) struct Put {
    /// Whether the dispatcher is to be woken.
    pub(super) wakes: bool,
    /// What has no room any more, to be freed where nobody waits.
    _overwritten: SmallVec<[Arc<Event>; 1]>,
}

/// Events that follow each other.
pub(super) struct Read {
    /// Empty if there is none yet.
    pub(super) events: Vec<Arc<Event>>,
    /// The number of the first event that is kept, or would be.
    pub(super) oldest: u64,
}

impl Ring {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            messages_max,
            bytes_max,
            events: VecDeque::new(),
            bytes: 0,
            next: 1,
            waiting: VecDeque::new(),
            is_watched: false,
            is_asleep: false,
        }
    }

    /// Gives a message its number and puts it in, which counts at `hop`. One that the dispatcher is too late for is dropped
    /// there, and so is one that was too large, of which there is only the beginning.
    pub(super) fn put(&mut self, frames: Frames, is_lost: bool, hop: &Hop) -> Put {
        let number = self.next;
        self.next += 1;
        let event = if is_lost { Event::lost(number, frames) } else { Event::new(number, frames) };
        self.bytes += event.bytes();
        self.events.push_back(Arc::new(event));
        match (is_lost, self.is_watched) {
            (false, false) => hop.pass(),
            (true, false) => hop.refuse(Reason::TooLarge),
            (_, true) => self.waiting.push_back(hop.enter()),
        }
        let mut overwritten = SmallVec::new();
        while self.events.len() > self.messages_max || self.bytes > self.bytes_max {
            let Some(event) = self.events.pop_front() else { break };
            self.bytes -= event.bytes();
            if self.waiting.len() > self.events.len()
                && let Some(passage) = self.waiting.pop_front()
            {
                passage.dropped(Reason::QueueFull);
            }
            overwritten.push(event);
        }
        let wakes = self.is_watched && (std::mem::take(&mut self.is_asleep) || self.is_urgent());
        Put { wakes, _overwritten: overwritten }
    }

    /// Whether so much waits for the dispatcher that some of it may soon be overwritten.
    pub(super) fn is_urgent(&self) -> bool {
        2 * self.waiting.len() >= self.events.len()
    }

    /// The next event for the dispatcher, which is asleep from now on if there is none.
    pub(super) fn take(&mut self) -> Option<(Arc<Event>, Passage)> {
        let Some(passage) = self.waiting.pop_front() else {
            self.is_asleep = true;
            return None;
        };
        let event = &self.events[self.events.len() - 1 - self.waiting.len()];
        Some((Arc::clone(event), passage))
    }

    /// Some of those that have this number or a later one.
    pub(super) fn read(&self, from: u64, messages_max: usize) -> Read {
        let oldest = self.oldest();
        let skipped = from.saturating_sub(oldest) as usize;
        let events = self.events.iter().skip(skipped).take(messages_max).cloned().collect();
        Read { events, oldest }
    }

    /// Whether there is any stream. Where there is none, what the dispatcher has not taken is for nobody; returns its passages.
    pub(super) fn set_watched(&mut self, is_watched: bool) -> VecDeque<Passage> {
        self.is_watched = is_watched;
        if is_watched { VecDeque::new() } else { std::mem::take(&mut self.waiting) }
    }

    /// The number of the first event that is kept, or would be.
    pub(super) fn oldest(&self) -> u64 {
        self.next - self.events.len() as u64
    }

    /// The number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn messages(&self) -> usize {
        self.events.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
