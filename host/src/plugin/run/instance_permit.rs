//! The permit of an instance to exist: there is a bound on how many do at the same time, over all plugins.

use crate::config::INSTANCES_MAX;
use std::sync::atomic::{AtomicU32, Ordering};

/// Of the whole process: there are several pools, and the instances in them must not add up. The memory that the pools
/// keep for later instances does add up.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// Held for as long as the instance exists.
pub(crate) struct InstancePermit(());

impl InstancePermit {
    /// None if [`INSTANCES_MAX`] are taken.
    pub(super) fn take() -> Option<Self> {
        let permit = Self(());
        // One too many is given back as it is dropped.
        (TAKEN.fetch_add(1, Ordering::Relaxed) < INSTANCES_MAX).then_some(permit)
    }

    /// Whether more than half are taken, so that none is left for an instance that only waits for another call.
    pub(crate) fn are_scarce() -> bool {
        TAKEN.load(Ordering::Relaxed) > INSTANCES_MAX / 2
    }
}

impl Drop for InstancePermit {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_scarce_before_there_are_none() {
        assert!(!InstancePermit::are_scarce());
        // Other tests of this process take a few as well.
        let mut taken: Vec<_> = (0..=INSTANCES_MAX / 2).map(|_| InstancePermit::take()).collect();
        assert!(InstancePermit::are_scarce() && taken.iter().all(Option::is_some));
        taken.truncate(taken.len() / 2);
        assert!(!InstancePermit::are_scarce());
    }
}
