//! What has to hold for one who follows a stream, derived from what it is given and what was published.

use crate::config::{Events, OnSlow};
use crate::flow::Frames;
use crate::http::events::Next;
use crate::http::events::event::bytes_of;
use bytes::Bytes;

fn topic(number: u64) -> &'static str {
    ["a", "ab", "abc", "b", "c"][(number * 7 % 13 % 5) as usize]
}

/// The message with this number: its topic, and how long it is, depend on nothing else.
pub(super) fn message(number: u64) -> Frames {
    let topic = topic(number);
    let mut body = number.to_string().into_bytes();
    body.resize(if number.is_multiple_of(41) { 5_000 } else { 20 + (number * 31 % 97) as usize }, b' ');
    let frames: [Bytes; 2] = [topic.into(), body.into()];
    match number % 11 {
        0 => [frames[0].clone()].into_iter().collect(),
        _ => frames.into_iter().collect(),
    }
}

/// One who follows, over as many streams as that takes.
pub(super) struct Follower {
    pub(super) topics: &'static [&'static str],
    /// It has everything up to this number, or knows how much of it is missing.
    pub(super) position: u64,
    /// Whether there is a reason for which it may miss something.
    pub(super) may_miss: bool,
    /// It was told that its stream ends.
    pub(super) is_cut_off: bool,
    /// The events that it was given.
    pub(super) seen: u64,
}

impl Follower {
    pub(super) fn new(topics: &'static [&'static str], position: u64) -> Self {
        Self { topics, position, may_miss: false, is_cut_off: false, seen: 0 }
    }

    /// The numbers after its position that are for it.
    fn wanted(&self, up_to: u64) -> impl Iterator<Item = u64> {
        (self.position + 1..=up_to).filter(|&number| self.takes(number))
    }

    fn takes(&self, number: u64) -> bool {
        self.topics.iter().any(|beginning| topic(number).starts_with(beginning))
    }

    /// Whether more may wait for it than may wait.
    pub(super) fn is_over(&self, settings: &Events, dispatched: u64) -> bool {
        let (mut count, mut bytes) = (0, 0);
        self.wanted(dispatched).any(|number| {
            count += 1;
            bytes += bytes_of(&message(number));
            count > settings.stream_messages_max || bytes > settings.stream_bytes_max
        })
    }

    /// It is given something, when so many were published.
    pub(super) fn see(&mut self, next: &Next, published: u64, settings: &Events) {
        assert!(!self.is_cut_off, "nothing but the end after {}: {next:?}", self.position);
        let is_lost = |number: &u64| bytes_of(&message(*number)) > settings.ring_bytes_max;
        match next {
            Next::Event { id, event } => {
                assert!(id.number == event.number && event.frames == message(id.number), "{next:?}");
                assert!(self.takes(id.number), "{next:?}");
                assert!(id.number > self.position, "{next:?} comes again after {}", self.position);
                assert_eq!(self.wanted(id.number - 1).next(), None, "not told before {next:?}");
                self.position = id.number;
                self.seen += 1;
            }
            Next::Gap { id, missed } => {
                assert!((self.position..=published).contains(&id.number), "{next:?} after {}", self.position);
                let passed: Vec<_> = self.wanted(id.number).collect();
                let are_lost = !passed.is_empty() && passed.iter().all(is_lost);
                assert!(self.may_miss || are_lost, "no reason for {next:?} after {}", self.position);
                match missed {
                    Some(0) => panic!("nothing is missing: {next:?}"),
                    // What is missing comes after the stream, which ends.
                    Some(count) if passed.is_empty() => {
                        assert_eq!(settings.on_slow, OnSlow::CutOff, "{next:?} after {}", self.position);
                        let all = self.wanted(published).count() as u64;
                        assert!(*count <= all, "{next:?} of {all}");
                        self.is_cut_off = true;
                    }
                    Some(count) => assert_eq!(*count, passed.len() as u64, "{next:?} after {}", self.position),
                    None => {}
                }
                self.position = id.number;
            }
            Next::Heartbeat { id } => {
                assert!((self.position..=published).contains(&id.number), "{next:?} after {}", self.position);
                assert_eq!(self.wanted(id.number).next(), None, "not told before {next:?}");
                self.position = id.number;
                // It has caught up.
                self.may_miss &= id.number < published;
            }
            Next::End { .. } => panic!("the end is no news"),
        }
    }

    /// It is told of a gap behind this number, up to which nothing is missing.
    pub(super) fn go_on_after(&mut self, number: u64) {
        assert!(number >= self.position);
        self.has_all_up_to(number);
        self.position = number;
    }

    /// Nothing of what was published is still to come.
    pub(super) fn has_all_up_to(&self, published: u64) {
        assert_eq!(self.wanted(published).next(), None, "after {}", self.position);
    }
}
