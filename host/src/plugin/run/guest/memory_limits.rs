//! Holds the memories and tables of one instance to their bounds, and remembers what was refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasmtime::ResourceLimiter;

/// What an instance wanted more of than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusedGrowth {
    Memory,
    Table,
}

/// The most that any instance of a generation has held in its memories.
#[derive(Debug, Default)]
pub(crate) struct HighWater(AtomicUsize);

impl HighWater {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, bytes: usize) {
        // Written to only when it changes something: every call of the plugin shares this line of the caches.
        if bytes > self.bytes() {
            self.0.fetch_max(bytes, Ordering::Relaxed);
        }
    }
}

/// What the memories and tables of one instance may grow to, and how far they have. A refused growth is no error: the
/// guest is told, and may live with it.
#[derive(Debug)]
pub(crate) struct MemoryLimits {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements: usize,
    table_elements_max: usize,
    /// Bytes and elements with which the instance began.
    initial: (usize, usize),
    high_water: Arc<HighWater>,
    /// What was last refused, to explain a trap that follows.
    pub(crate) refused: Option<RefusedGrowth>,
}

impl MemoryLimits {
    pub(crate) fn new(memory_bytes_max: usize, table_elements_max: usize, high_water: Arc<HighWater>) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max,
            table_elements: 0,
            table_elements_max,
            initial: (0, 0),
            high_water,
            refused: None,
        }
    }

    /// Takes note that the instance has been made.
    pub(crate) fn begin(&mut self) {
        self.initial = (self.memory_bytes, self.table_elements);
    }

    /// Whether the guest has had, or asked for, more than it began with.
    pub(crate) fn has_changed(&self) -> bool {
        self.refused.is_some() || self.initial != (self.memory_bytes, self.table_elements)
    }

    /// Adds to a sum over all memories (or tables), unless that takes it over its bound.
    fn grow(sum: &mut usize, max: usize, from: usize, to: usize) -> bool {
        let grown = sum.saturating_add(to.saturating_sub(from));
        if grown > max {
            return false;
        }
        *sum = grown;
        true
    }
}

impl ResourceLimiter for MemoryLimits {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let within = maximum.is_none_or(|maximum| desired <= maximum)
            && Self::grow(&mut self.memory_bytes, self.memory_bytes_max, current, desired);
        if within {
            self.high_water.note(self.memory_bytes);
        } else {
            self.refused = Some(RefusedGrowth::Memory);
        }
        Ok(within)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let within = maximum.is_none_or(|maximum| desired <= maximum)
            && Self::grow(&mut self.table_elements, self.table_elements_max, current, desired);
        if !within {
            self.refused = Some(RefusedGrowth::Table);
        }
        Ok(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_on_the_sum_of_all_memories() {
        let high_water = Arc::new(HighWater::default());
        let mut memory_limits = MemoryLimits::new(100, 10, Arc::clone(&high_water));
        assert!(memory_limits.memory_growing(0, 60, None).unwrap());
        assert!(memory_limits.memory_growing(0, 40, None).unwrap());
        assert_eq!(memory_limits.refused, None);
        assert!(!memory_limits.memory_growing(40, 41, None).unwrap());
        assert_eq!(memory_limits.refused, Some(RefusedGrowth::Memory));
        assert_eq!(high_water.bytes(), 100);
        let mut smaller = MemoryLimits::new(100, 10, Arc::clone(&high_water));
        assert!(smaller.memory_growing(0, 10, None).unwrap());
        assert_eq!(high_water.bytes(), 100);
        assert!(memory_limits.table_growing(0, 10, None).unwrap());
        assert!(!memory_limits.table_growing(10, 11, None).unwrap());
    }
}
