//! Whether messages come so fast that it is worthwhile to let some gather and to send them together.

use std::time::{Duration, Instant};

/// Over how long messages are counted.
const WINDOW: Duration = Duration::from_millis(2);
/// With at least so many in a window, two or more gather in the time given to it. Fewer are not worth the wait.
const MANY: usize = 8;

/// Counts the messages of one window after the other.
pub(crate) struct Batching {
    began: Instant,
    messages: usize,
    many: bool,
}

impl Batching {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, messages: 0, many: false }
    }

    /// Counts messages that have come, and returns whether many do.
    pub(crate) fn are_many(&mut self, messages: usize, now: Instant) -> bool {
        self.messages += messages;
        let elapsed = now.saturating_duration_since(self.began);
        if elapsed >= WINDOW {
            // The window was longer after a sleep, so the rate is compared and not the number.
            self.many = self.messages as f64 * WINDOW.as_secs_f64() >= MANY as f64 * elapsed.as_secs_f64();
            (self.began, self.messages) = (now, 0);
        }
        self.many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_many_if_eight_come_in_a_window() {
        let start = Instant::now();
        let mut batching = Batching::new(start);
        let mut at = |ms: u64, messages| batching.are_many(messages, start + Duration::from_millis(ms));
        assert!(!at(1, 100), "the first window is not over");
        assert!(at(2, 1));
        assert!(at(3, 1), "a lull within a window is none");
        assert!(!at(4, 1));
        assert!(!at(1_000, 10), "ten in a second are not many");
        assert!(at(1_002, 10));
    }
}
