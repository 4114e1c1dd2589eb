//! Names for requests, which the log, a plugin, a dead letter and the caller have in common.

use std::fmt::{self, Write};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Of the name of a request in a trace, which is the longest: 32 digits, `-`, and 16 at most.
const TEXT_BYTES_MAX: usize = 49;

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

/// A name that is written out where somebody reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    run: u64,
    number: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.run, self.number)
    }
}

impl RequestIds {
    /// The next name.
    pub fn next_id(&self) -> RequestId {
        RequestId { run: self.run, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    /// The next name, as text; of a request that belongs to a `trace` of others, `TRACE-NUMBER`.
    pub fn next(&self, trace: Option<&str>) -> String {
        let RequestId { run, number } = self.next_id();
        let mut text = String::with_capacity(TEXT_BYTES_MAX);
        // Writing to a text does not fail.
        let _ = match trace {
            Some(trace) => write!(text, "{trace}-{number:x}"),
            None => write!(text, "{run:016x}-{number:x}"),
        };
        text
    }
}
