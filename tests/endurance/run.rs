//! The state that the load generators share with the code that watches the host.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One run of the load.
#[derive(Debug, Default)]
pub struct Run {
    over: AtomicBool,
    /// Replies that were received.
    pub replies: AtomicU64,
    /// How many replies the host has sent, once that is known.
    replies_expected: AtomicU64,
}

impl Run {
    pub fn new() -> Self {
        Self { replies_expected: AtomicU64::new(u64::MAX), ..Self::default() }
    }

    /// Ends the run: nothing more is sent.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Sets the number of replies that are to be waited for.
    pub fn expect_replies(&self, count: u64) {
        self.replies_expected.store(count, Ordering::SeqCst);
    }

    pub fn has_all_replies(&self) -> bool {
        self.replies.load(Ordering::SeqCst) >= self.replies_expected.load(Ordering::SeqCst)
    }

    /// Returns a guard that ends the run if its thread panics; otherwise the other threads would go on for ever.
    pub fn end_on_panic(&self) -> EndOnPanic<'_> {
        EndOnPanic(self)
    }
}

/// See [`Run::end_on_panic`].
pub struct EndOnPanic<'a>(&'a Run);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
            self.0.expect_replies(0);
        }
    }
}
