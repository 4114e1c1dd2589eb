//! One look at the authorized keys: since when it goes on, as others see it.

use crate::config::AUTHORIZED_KEYS_STALL_MS;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(debug_assertions)]
use std::thread;
use std::time::{Duration, Instant};

/// When the thread began to look, for others to see.
#[derive(Debug)]
pub(super) struct Look {
    /// What the other time counts from.
    epoch: Instant,
    /// In milliseconds, and one more; 0 while nobody looks.
    began_ms: AtomicU64,
    stall_told: AtomicBool,
}

impl Look {
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), began_ms: AtomicU64::new(0), stall_told: AtomicBool::new(false) }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    pub(super) fn begin(&self) {
        self.began_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Returns whether it had been said that the look takes too long.
    pub(super) fn end(&self) -> bool {
        self.began_ms.store(0, Ordering::Relaxed);
        self.stall_told.swap(false, Ordering::Relaxed)
    }

    /// For how long it has been going on, if that is too long.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let began_ms = self.began_ms.load(Ordering::Relaxed);
        let stalled_ms = if began_ms == 0 { 0 } else { self.now_ms().saturating_sub(began_ms) };
        (stalled_ms >= AUTHORIZED_KEYS_STALL_MS).then_some(Duration::from_millis(stalled_ms))
    }

    /// The same, once for each look.
    pub(super) fn stalled_untold(&self) -> Option<Duration> {
        self.stalled().filter(|_| !self.stall_told.swap(true, Ordering::Relaxed))
    }
}

/// A fault to try the host with, in debug builds alone: a directory that hangs for as long as a file of this name is in it,
/// if the environment allows for that.
#[cfg(debug_assertions)]
pub(super) fn hang_if_asked(file: &std::path::Path) {
    let asked = file.file_name().is_some_and(|name| name == "tidegate-fault-hang");
    while asked && file.exists() && std::env::var_os("TIDEGATE_FAULTS").is_some_and(|value| value == "1") {
        thread::sleep(Duration::from_millis(10));
    }
}
