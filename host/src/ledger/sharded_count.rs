//! A count to which many threads add, each on a cache line of its own.

use super::hop::{SHARDS, own_shard};
use std::sync::atomic::{AtomicU64, Ordering};

/// The count. It is read while others add: what they add meanwhile may be in it or not.
#[derive(Debug, Default)]
pub struct ShardedCount([Shard; SHARDS]);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(AtomicU64);

impl ShardedCount {
    /// Adds one.
    pub fn add(&self) {
        self.0[own_shard()].0.fetch_add(1, Ordering::Release);
    }

    /// All that was added.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|shard| shard.0.load(Ordering::Acquire)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_whoever_adds() {
        let count = ShardedCount::default();
        std::thread::scope(|scope| {
            for _ in 0..SHARDS + 3 {
                scope.spawn(|| (0..1_000).for_each(|_| count.add()));
            }
        });
        assert_eq!(count.total(), (SHARDS as u64 + 3) * 1_000);
    }
}
