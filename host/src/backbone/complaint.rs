//! What keeps a part of the backbone from its work, in one line for the operator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Set by the task that works, and read by whoever asks how it is.
#[derive(Clone, Default)]
pub(super) struct Complaint(Arc<Mutex<Option<String>>>);

impl Complaint {
    pub(super) fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    pub(super) fn set(&self, complaint: Option<String>) {
        *self.lock() = complaint;
    }

    /// As [`Self::set`], and says so in the log where it is another than before.
    pub(super) fn tell(&self, complaint: Option<String>) {
        let mut before = self.lock();
        if let Some(what) = &complaint
            && *before != complaint
        {
            tracing::warn!("{what}");
        }
        *before = complaint;
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
