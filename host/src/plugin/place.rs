//! The place of an instance among all that may exist at the same time, over all plugins.

use crate::config::INSTANCES_MAX;
use std::sync::atomic::{AtomicU32, Ordering};

/// Of the whole process: the pools of several engines must not add up.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// Held for as long as the instance exists.
pub(super) struct Place(());

impl Place {
    /// None if [`INSTANCES_MAX`] are taken.
    pub(super) fn take() -> Option<Self> {
        let place = Self(());
        // One too many is given back as it is dropped.
        (TAKEN.fetch_add(1, Ordering::Relaxed) < INSTANCES_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}
