//! The last message of each topic, kept for subscribers that come later.

use crate::flow::Frames;
use crate::messaging::socket::monitor::Descriptor;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

/// One message as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retained {
    /// The first of several frames; empty for a message of one.
    pub(crate) topic: Arc<[u8]>,
    pub(crate) frames: Frames,
}

impl Retained {
    /// What a subscription is a prefix of: the topic, or the body of a message without one.
    fn first_frame(&self) -> &[u8] {
        self.frames.first().map_or(&[], |frame| frame)
    }

    fn bytes(&self) -> usize {
        self.frames.iter().map(Bytes::len).sum()
    }
}

/// The retained messages, and which topics each peer has got.
#[derive(Debug)]
pub(super) struct RetainedMessages {
    topics_max: usize,
    bytes_max: usize,
    bytes: usize,
    sequence: u64,
    by_topic: BTreeMap<Arc<[u8]>, (u64, Retained)>,
    by_age: BTreeMap<u64, Arc<[u8]>>,
    handed: HashMap<Descriptor, HashSet<Arc<[u8]>>>,
}

impl RetainedMessages {
    pub(super) fn new(topics_max: usize, bytes_max: usize) -> Self {
        Self {
            topics_max,
            bytes_max,
            bytes: 0,
            sequence: 0,
            by_topic: BTreeMap::new(),
            by_age: BTreeMap::new(),
            handed: HashMap::new(),
        }
    }

    /// Retains a message in place of the last one of its topic. Over the bounds the oldest messages are dropped.
    pub(super) fn keep(&mut self, message: Retained) {
        self.forget(&message.topic.clone());
        self.sequence += 1;
        self.bytes += message.bytes();
        self.by_age.insert(self.sequence, Arc::clone(&message.topic));
        self.by_topic.insert(Arc::clone(&message.topic), (self.sequence, message));
        while self.by_topic.len() > self.topics_max || self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.by_age.pop_first() else { return };
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, topic: &[u8]) {
        if let Some((sequence, message)) = self.by_topic.remove(topic) {
            self.by_age.remove(&sequence);
            self.bytes -= message.bytes();
        }
    }

    /// The message for a peer that has just subscribed: that of exactly this topic, or else the latest one that the
    /// subscription matches. A peer gets each topic once.
    pub(super) fn hand_over(&mut self, subscription: &[u8], to: Option<Descriptor>) -> Option<Retained> {
        let message = self.find(subscription)?.clone();
        let Some(to) = to else { return Some(message) };
        let handed = self.handed.entry(to).or_default();
        // Topics that were dropped since are removed, so that this stays bounded for a peer that stays connected.
        if handed.len() >= 2 * self.topics_max.max(1) {
            handed.retain(|topic| self.by_topic.contains_key(topic));
        }
        handed.insert(Arc::clone(&message.topic)).then_some(message)
    }

    fn find(&self, subscription: &[u8]) -> Option<&Retained> {
        let matches = |message: &Retained| message.first_frame().starts_with(subscription);
        // A message without a topic is stored under the empty one, and matched by its body.
        let without_topic = self.by_topic.get(&[][..]).filter(|(_, message)| matches(message));
        if let Some((_, message)) = without_topic.filter(|_| subscription.is_empty()) {
            return Some(message);
        }
        let (mut latest, mut by_age) = (without_topic, self.by_age.values().rev());
        let from_here = (Bound::Included(subscription), Bound::Unbounded);
        for (topic, kept) in self.by_topic.range::<[u8], _>(from_here).skip_while(|(topic, _)| topic.is_empty()) {
            if **topic == *subscription {
                return Some(&kept.1);
            }
            if !topic.starts_with(subscription) {
                break;
            }
            if latest.is_none_or(|(sequence, _)| kept.0 > *sequence) {
                latest = Some(kept);
            }
            // If many messages match, one of the latest does, and the search from that end finds it sooner.
            let next = by_age.next().and_then(|topic| self.by_topic.get(topic));
            if let Some((_, message)) = next.filter(|(_, message)| matches(message)) {
                return Some(message);
            }
        }
        latest.map(|(_, message)| message)
    }

    /// The peer has gone: the next peer with its descriptor is another one.
    pub(super) fn gone(&mut self, peer: Descriptor) {
        self.handed.remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Message;
    use proptest::prelude::*;

    fn message(topic: &str, body: &str) -> Retained {
        let frames = Message::of_topic(topic.to_owned(), Vec::new(), body.to_owned()).frames;
        Retained { topic: topic.as_bytes().into(), frames }
    }

    #[test]
    fn the_last_message_of_a_topic_is_handed_over_once() {
        let mut retained = RetainedMessages::new(10, 1000);
        assert_eq!(retained.hand_over(b"", Some(1)), None);
        retained.keep(message("a", "1"));
        retained.keep(message("a", "2"));
        retained.keep(message("ab", "3"));
        retained.keep(message("", "body"));
        assert_eq!(retained.hand_over(b"a", Some(1)), Some(message("a", "2")));
        assert_eq!(retained.hand_over(b"a", Some(1)), None);
        assert_eq!(retained.hand_over(b"a", Some(2)), Some(message("a", "2")));
        assert_eq!(retained.hand_over(b"ab", Some(1)), Some(message("ab", "3")));
        assert_eq!(retained.hand_over(b"", Some(1)), Some(message("", "body")));
        assert_eq!(retained.hand_over(b"bo", Some(3)), Some(message("", "body")));
        assert_eq!(retained.hand_over(b"c", Some(1)), None);
        retained.gone(1);
        assert_eq!(retained.hand_over(b"a", Some(1)), Some(message("a", "2")));
    }

    #[test]
    fn over_the_bounds_the_oldest_go() {
        let mut retained = RetainedMessages::new(2, 10);
        for topic in ["a", "b", "c"] {
            retained.keep(message(topic, "1"));
        }
        assert_eq!(retained.hand_over(b"a", None), None);
        assert!(retained.hand_over(b"b", None).is_some());
        retained.keep(message("d", "123456789"));
        assert_eq!((retained.hand_over(b"c", None), retained.bytes), (None, 10));
        retained.keep(message("e", "1234567890"));
        assert_eq!((retained.by_topic.len(), retained.by_age.len(), retained.bytes), (0, 0, 0));
    }

    #[test]
    fn what_a_peer_was_handed_is_bounded_too() {
        let mut retained = RetainedMessages::new(2, 1000);
        for number in 0..100 {
            retained.keep(message(&format!("a{number}"), "1"));
            assert!(retained.hand_over(b"a", Some(1)).is_some());
            assert!(retained.handed[&1].len() <= 4);
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_search_from_the_latest_would(
            published in proptest::collection::vec(("[aé]{0,3}", "[aé]{0,2}"), 0..8),
            subscription in prop_oneof!["[aé]{0,3}".prop_map(String::into_bytes), Just(vec![0xc3]), Just(vec![b'a', 0xc3])],
        ) {
            let mut retained = RetainedMessages::new(6, 1000);
            published.iter().for_each(|(topic, body)| retained.keep(message(topic, body)));
            let latest_first = || retained.by_age.values().rev().map(|topic| &retained.by_topic[topic].1);
            let exact = latest_first().find(|message| *message.topic == *subscription);
            let expected =
                exact.or_else(|| latest_first().find(|message| message.first_frame().starts_with(&subscription)));
            prop_assert_eq!(retained.find(&subscription), expected);
        }
    }
}
