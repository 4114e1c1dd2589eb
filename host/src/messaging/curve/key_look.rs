//! One look at the directory of authorized keys: how long it has been going on, for other threads to see.

use crate::config::AUTHORIZED_KEYS_STALL_MS;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When the thread began to look, which other threads read.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// None while there is no look.
    began: Mutex<Option<Instant>>,
    stall_reported: AtomicBool,
}

impl Look {
    fn began(&self) -> MutexGuard<'_, Option<Instant>> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self) {
        *self.began() = Some(Instant::now());
    }

    /// Returns whether it was reported that the look takes too long.
    pub(super) fn end(&self) -> bool {
        *self.began() = None;
        self.stall_reported.swap(false, Ordering::Relaxed)
    }

    /// How long the look has been going on, if that is too long.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let stalled = self.began().map(|began| began.elapsed());
        stalled.filter(|stalled| *stalled >= Duration::from_millis(AUTHORIZED_KEYS_STALL_MS))
    }

    /// As [`Self::stalled`], once for each look.
    pub(super) fn stalled_unreported(&self) -> Option<Duration> {
        self.stalled().filter(|_| !self.stall_reported.swap(true, Ordering::Relaxed))
    }
}

/// A fault for tests, in debug builds alone: the look hangs for as long as a file of this name is in the directory, if
/// the environment allows that.
#[cfg(debug_assertions)]
pub(super) fn hang_if_asked(file: &std::path::Path) {
    let asked = file.file_name().is_some_and(|name| name == "tidegate-fault-hang");
    while asked && file.exists() && std::env::var_os("TIDEGATE_FAULTS").is_some_and(|value| value == "1") {
        std::thread::sleep(Duration::from_millis(10));
    }
}
