//! Keeping what serves: the copies of one plugin's components, so that a restart can serve them again.

use crate::plugin::load::blocking::blocking;
use crate::plugin::load::copies::Copies;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a plugin's components are kept; nowhere, if there is no cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    copies: Option<Arc<Copies>>,
    /// That nothing can be kept was told.
    told: Arc<AtomicBool>,
}

impl Kept {
    pub(super) fn new(copies: Option<Arc<Copies>>) -> Self {
        Self { copies, told: Arc::default() }
    }

    /// Keeps what serves now. `needed` are all digests that `plugin` may serve again.
    pub(super) async fn copy(&self, plugin: &str, digest: &Arc<str>, bytes: Arc<Vec<u8>>, needed: Vec<Arc<str>>) {
        let Some(copies) = self.copies.clone() else { return };
        copies.need(plugin, needed);
        let (own, digest) = (self.clone(), Arc::clone(digest));
        // Without the copy, a restart lacks what to serve in place of condemned bytes, and says so.
        let _ = blocking(move || {
            if let Err(error) = copies.keep(&digest, &bytes)
                && !own.told.swap(true, Ordering::Relaxed)
            {
                let directory = copies.directory().display();
                tracing::warn!(%directory, %error, "what serves is not kept, and cannot serve again after a restart");
            }
            Ok(())
        })
        .await;
    }

    /// Takes note that a plugin was unloaded: its copies make room like any others.
    pub(super) fn release(&self, plugin: &str) {
        if let Some(copies) = &self.copies {
            copies.need_none(plugin);
        }
    }

    /// The component with this digest, if there is a sound copy.
    pub(super) async fn get(&self, digest: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let (copies, digest) = (self.copies.clone()?, digest.to_owned());
        blocking(move || Ok(copies.get(&digest, bytes_max))).await.ok()?
    }

    /// Whether there is a copy of this digest. Blocks.
    pub(super) fn has(&self, digest: &str) -> bool {
        self.copies.as_ref().is_some_and(|copies| copies.has(digest))
    }
}
