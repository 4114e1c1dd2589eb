//! One look at the authorized keys: since when it goes on, as others see it.

use crate::config::AUTHORIZED_KEYS_STALL_MS;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When the thread began to look, for others to see.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// None while nobody looks.
    began: Mutex<Option<Instant>>,
    stall_told: AtomicBool,
}

impl Look {
    fn began(&self) -> MutexGuard<'_, Option<Instant>> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self) {
        *self.began() = Some(Instant::now());
    }

    /// Returns whether it had been said that the look takes too long.
    pub(super) fn end(&self) -> bool {
        *self.began() = None;
        self.stall_told.swap(false, Ordering::Relaxed)
    }

    /// For how long it has been going on, if that is too long.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let stalled = self.began().map(|began| began.elapsed());
        stalled.filter(|stalled| *stalled >= Duration::from_millis(AUTHORIZED_KEYS_STALL_MS))
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
        std::thread::sleep(Duration::from_millis(10));
    }
}
