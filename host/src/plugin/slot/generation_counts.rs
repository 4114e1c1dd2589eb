//! What became of the calls of one generation.

use crate::ledger::ShardedCount;

/// Counts the calls of one generation. Reading it does not stop the calls: it is exact once none runs.
#[derive(Debug, Default)]
pub(super) struct GenerationCounts {
    begun: ShardedCount,
    failed: ShardedCount,
}

/// A call that is counted as failed, unless it is said to have gone well before this is dropped.
#[must_use = "a call that is dropped counts as failed"]
pub(super) struct CountedCall<'a>(Option<&'a GenerationCounts>);

impl GenerationCounts {
    pub(super) fn begin(&self) -> CountedCall<'_> {
        self.begun.add();
        CountedCall(Some(self))
    }

    /// How many began, and how many of those failed.
    pub(super) fn read(&self) -> (u64, u64) {
        // In this order, so that there are never more failures than calls.
        let failed = self.failed.total();
        (self.begun.total(), failed)
    }
}

impl CountedCall<'_> {
    pub(super) fn went_well(mut self) {
        self.0 = None;
    }
}

impl Drop for CountedCall<'_> {
    fn drop(&mut self) {
        if let Some(counts) = self.0 {
            counts.failed.add();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_given_up_counts_as_failed() {
        let counts = GenerationCounts::default();
        counts.begin().went_well();
        drop(counts.begin());
        let running = counts.begin();
        assert_eq!(counts.read(), (3, 1));
        running.went_well();
        assert_eq!(counts.read(), (3, 1));
    }
}
