//! Which messages a subscriber wants, and how many of them.

use super::settings::SubscriberSettings;

/// Chooses among the messages that come in.
pub(super) struct Wanted {
    /// First frames, whole; empty if the subscriptions say it all.
    exact: Vec<Vec<u8>>,
    /// How many more are wanted; none for all.
    left: Option<u64>,
}

impl Wanted {
    pub(super) fn new(settings: &SubscriberSettings) -> Self {
        let topics = settings.topics.iter().filter(|_| settings.exact);
        Self { exact: topics.map(|topic| topic.clone().into_bytes()).collect(), left: settings.count }
    }

    /// Whether there is nothing more to wait for.
    pub(super) fn is_complete(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether a message with this first frame is wanted, which then is counted.
    pub(super) fn takes(&mut self, first_frame: &[u8]) -> bool {
        if !self.exact.is_empty() && self.exact.iter().all(|topic| topic != first_frame) {
            return false;
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        true
    }
}
