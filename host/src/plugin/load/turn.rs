//! Turn: a place in the order in which loads, rollbacks and unloads were asked for.

use std::sync::atomic::{AtomicU64, Ordering};

/// One place in that order. The default is before all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn(u64);

impl Turn {
    /// The place after all that were taken.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
