//! What those who make the load and those who watch it know of each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One run of the load.
#[derive(Debug, Default)]
pub struct Course {
    over: AtomicBool,
    /// Replies that came in.
    pub replies: AtomicU64,
    /// How many replies there will be, once that is known.
    replies_in_all: AtomicU64,
}

impl Course {
    pub fn new() -> Self {
        Self { replies_in_all: AtomicU64::new(u64::MAX), ..Self::default() }
    }

    /// Nothing more is sent.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Nobody has to wait for more replies than these.
    pub fn expect_replies(&self, in_all: u64) {
        self.replies_in_all.store(in_all, Ordering::SeqCst);
    }

    pub fn has_all_replies(&self) -> bool {
        self.replies.load(Ordering::SeqCst) >= self.replies_in_all.load(Ordering::SeqCst)
    }

    /// Ends the run when whoever holds it fails: the others would go on for ever.
    pub fn end_with_me(&self) -> EndsWithMe<'_> {
        EndsWithMe(self)
    }
}

/// See [`Course::end_with_me`].
pub struct EndsWithMe<'a>(&'a Course);

impl Drop for EndsWithMe<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
            self.0.expect_replies(0);
        }
    }
}
