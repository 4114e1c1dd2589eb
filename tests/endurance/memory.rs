//! The resident memory of a process, over time.

use crate::process::resident_kib;
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(200);

/// Samples of one process, in KiB.
pub struct Memory {
    pid: u32,
    began: Instant,
    samples: Vec<(Duration, u64)>,
}

impl Memory {
    pub fn of(pid: u32) -> Self {
        Self { pid, began: Instant::now(), samples: Vec::new() }
    }

    /// Takes a sample, if it is time for one.
    pub fn watch(&mut self) {
        let at = self.began.elapsed();
        if self.samples.last().is_some_and(|(last, _)| at < *last + INTERVAL) {
            return;
        }
        self.samples.push((at, resident_kib(self.pid)));
    }

    /// The median of each tenth of the time until now.
    pub fn tenths_kib(&self) -> Vec<u64> {
        let whole = self.samples.last().map_or(Duration::ZERO, |(at, _)| *at);
        (0..10).map(|tenth| self.median_kib(whole * tenth / 10, whole * (tenth + 1) / 10)).collect()
    }

    /// The median of the samples between two times.
    pub fn median_kib(&self, from: Duration, until: Duration) -> u64 {
        let mut kib: Vec<_> =
            self.samples.iter().filter(|(at, _)| (from..until).contains(at)).map(|&(_, kib)| kib).collect();
        kib.sort_unstable();
        kib.get(kib.len() / 2).copied().unwrap_or(0)
    }
}
