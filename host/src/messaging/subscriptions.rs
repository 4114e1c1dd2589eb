//! The subscriptions at a publisher: which topics anybody wants, and how many want each.

use std::collections::BTreeMap;

/// Subscriptions by topic, as an XPUB socket tells of each one that comes and goes.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    counts: BTreeMap<Vec<u8>, usize>,
    total: usize,
    /// The length of the longest topic, so that no message is held against longer pieces of itself.
    longest: usize,
}

impl Subscriptions {
    pub(super) fn add(&mut self, topic: &[u8]) {
        *self.counts.entry(topic.to_owned()).or_default() += 1;
        self.total += 1;
        self.longest = self.longest.max(topic.len());
    }

    pub(super) fn remove(&mut self, topic: &[u8]) {
        let Some(count) = self.counts.get_mut(topic) else { return };
        *count -= 1;
        self.total -= 1;
        if *count == 0 {
            self.counts.remove(topic);
            self.longest = self.counts.keys().map(Vec::len).max().unwrap_or_default();
        }
    }

    /// Whether anybody gets a message that begins with this frame: a topic is a prefix of it.
    pub(super) fn wants(&self, first_frame: &[u8]) -> bool {
        (0..=self.longest.min(first_frame.len())).any(|length| self.counts.contains_key(&first_frame[..length]))
    }

    /// All of them.
    pub(super) fn total(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_topic_is_wanted_until_the_last_one_has_gone() {
        let mut subscriptions = Subscriptions::default();
        assert!(!subscriptions.wants(b""));
        subscriptions.add(b"news");
        subscriptions.add(b"news");
        assert!(subscriptions.wants(b"news.local") && !subscriptions.wants(b"new"));
        subscriptions.remove(b"news");
        assert!(subscriptions.wants(b"news"));
        subscriptions.remove(b"news");
        subscriptions.remove(b"news");
        assert!(!subscriptions.wants(b"news"));
        subscriptions.add(b"");
        assert!(subscriptions.wants(b"") && subscriptions.wants(b"any"));
        assert_eq!(subscriptions.total(), 1);
    }

    proptest! {
        #[test]
        fn wants_what_a_search_through_all_would_find(
            topics in proptest::collection::vec("[ab]{0,4}", 0..6), removed in 0usize..6, frame in "[ab]{0,6}",
        ) {
            let mut subscriptions = Subscriptions::default();
            topics.iter().for_each(|topic| subscriptions.add(topic.as_bytes()));
            topics.iter().take(removed).for_each(|topic| subscriptions.remove(topic.as_bytes()));
            let left = topics.get(removed..).unwrap_or_default();
            prop_assert_eq!(subscriptions.wants(frame.as_bytes()), left.iter().any(|topic| frame.starts_with(topic)));
            prop_assert_eq!(subscriptions.total(), left.len());
        }
    }
}
