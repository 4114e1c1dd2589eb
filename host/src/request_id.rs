//! Names for requests, which the log, a plugin, a dead letter and the caller have in common.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Gives each request of a run its own name, and runs different ones: `RUN-NUMBER` in hexadecimal.
#[derive(Debug)]
pub struct RequestIds {
    run: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // The standard library seeds its hash maps from the system's randomness.
        Self { run: RandomState::new().build_hasher().finish(), next: AtomicU64::new(1) }
    }
}

impl RequestIds {
    /// The next name.
    pub fn next(&self) -> String {
        format!("{:016x}-{:x}", self.run, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The next name, of a request that belongs to a trace of others: `TRACE-NUMBER`.
    pub fn next_in(&self, trace: &str) -> String {
        format!("{trace}-{:x}", self.next.fetch_add(1, Ordering::Relaxed))
    }
}
