//! Rollbacks of a slot, and having the disk know of them.

use super::Slot;
use super::history::RollbackError;
use crate::flow::ServedBy;
use std::sync::Arc;

impl Slot {
    /// Publishes an earlier generation under the next number: the one before the one that serves, or the one that is
    /// `wanted`; takes no compilation. With `persist`, what served until now stays out of service after a restart too.
    ///
    /// # Errors
    /// When there is no such generation or the plugin was unloaded; or, with `persist`, when the earlier generation
    /// serves, but the next start would not know.
    pub async fn rollback(&self, wanted: Option<u64>, persist: bool) -> Result<Arc<ServedBy>, RollbackError> {
        self.condemned.recall().await;
        let served_by = self.history.roll_back(wanted, persist)?;
        self.origin.leave_alone();
        if persist {
            self.persist_rollback(served_by.digest.clone()).await.map_err(RollbackError::NotPersisted)?;
        }
        Ok(served_by)
    }

    /// Whether the source held these bytes when it was last looked at.
    pub fn is_in_source(&self, digest: &str) -> bool {
        self.history.is_in_source(digest)
    }

    async fn persist_rollback(&self, serving: String) -> Result<(), String> {
        let (condemned, kept, digest) = (Arc::clone(&self.condemned), self.kept.clone(), serving.clone());
        let persist = move || match condemned.write() {
            Ok(()) if !kept.has(&digest) => Err(format!("what serves now, {digest}, is not in the cache")),
            written => written,
        };
        let persisted = tokio::task::spawn_blocking(persist).await.unwrap_or_else(|panic| Err(panic.to_string()));
        // The next start loads it in any case.
        if self.is_in_source(&serving) { Ok(()) } else { persisted }
    }

    /// Has the disk follow what was condemned by itself. Returns at once.
    pub(super) fn remember(&self) {
        let Some(serving) = self.history.serving() else { return };
        let (kept, served_by) = (self.kept.clone(), Arc::clone(&serving.served_by));
        self.condemned.write_soon(move || {
            let ServedBy { plugin, digest, .. } = &*served_by;
            if !kept.has(digest) {
                tracing::warn!(
                    plugin,
                    digest,
                    "what serves is not in the cache, and cannot serve again after a restart"
                );
            }
        });
    }

    /// Has the disk follow what is condemned. Blocks.
    pub(super) fn write_condemned(&self) {
        // What fails is told there.
        let _ = self.condemned.write();
    }
}
