//! What is condemned: bytes of one plugin that were taken out of service, and do not come back by themselves.
//!
//! A decision holds in memory at once. The disk follows, on a thread that may wait for it; whoever asks for the bytes
//! explicitly forgives them.

pub(crate) mod records;
mod verdicts;

use crate::plugin::load::blocking::blocking;
use records::{Records, RecordsDirectory};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;
use verdicts::Verdicts;

/// Who took bytes out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CondemnedBy {
    /// The host, since they failed too often.
    Host,
    /// An operator, by a rollback that is to last.
    Operator,
}

/// Why bytes are refused unless somebody asks for them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Condemnation {
    /// SHA-256 of the bytes.
    pub digest: String,
    /// Who took them out of service.
    pub by: CondemnedBy,
    /// Why, for people to read.
    pub reason: String,
    /// When, as RFC 3339 has it.
    pub at: String,
    /// SHA-256 of what served in their place.
    pub replaced_by: Option<String>,
    /// What that served, by name.
    pub roles: Vec<String>,
}

impl Condemnation {
    /// The sentence for a load that is refused.
    pub(super) fn refusal(&self) -> String {
        let Self { at, reason, .. } = self;
        format!("these bytes were taken out of service at {at}: {reason}; load them explicitly to try again")
    }
}

/// The condemned bytes of one plugin.
pub(crate) struct Condemned {
    records: Option<Records>,
    verdicts: Mutex<Verdicts>,
    /// Held while the disk follows, so that an earlier decision is not written over a later one.
    writing: Mutex<()>,
    read: OnceCell<()>,
    /// That there is no cache was told.
    told: AtomicBool,
}

impl Condemned {
    /// What is condemned of a plugin that comes from `source`; without a directory, for as long as the host runs.
    pub(crate) fn new(directory: Option<&Arc<RecordsDirectory>>, plugin: &str, source: &str) -> Arc<Self> {
        let records = directory.map(|directory| Records::new(Arc::clone(directory), plugin, source));
        let (verdicts, writing, read, told) = Default::default();
        Arc::new(Self { records, verdicts, writing, read, told })
    }

    /// Reads what earlier hosts wrote, at the first call.
    pub(super) async fn recall(self: &Arc<Self>) {
        let recall = async || {
            let own = Arc::clone(self);
            // What cannot be read is told there.
            let _ = blocking(move || {
                let known = own.records.as_ref().map(Records::read).unwrap_or_default();
                own.lock().recall(known);
                Ok(())
            })
            .await;
        };
        self.read.get_or_init(recall).await;
    }

    /// What served in place of any condemned bytes, by the names of its roles.
    pub(super) fn had_role(&self, role: &str) -> bool {
        self.lock().all().any(|condemned| condemned.roles.iter().any(|had| had == role))
    }

    /// Why these bytes are refused, if they are.
    pub(super) fn get(&self, digest: &str) -> Option<Arc<Condemnation>> {
        self.lock().get(digest)
    }

    /// Condemns bytes. The disk follows with the next [`Self::write`].
    pub(super) fn condemn(&self, condemnation: Condemnation) {
        self.lock().condemn(condemnation);
    }

    /// Forgives bytes that somebody asked for. False if they were not condemned.
    pub(super) fn forgive(&self, digest: &str) -> bool {
        self.lock().forgive(digest)
    }

    /// The digest of what is to serve in place of condemned bytes.
    pub(super) fn replacement_of(&self, digest: &str) -> Option<String> {
        self.lock().replacement_of(digest)
    }

    /// Has the disk follow, on another thread: whoever takes bytes out of service may be the one that carries messages.
    /// `then` follows there, if there is a disk.
    pub(super) fn write_soon(self: &Arc<Self>, then: impl FnOnce() + Send + 'static) {
        if self.lock().unwritten().is_empty() {
            return;
        }
        let Some(runtime) = self.records.as_ref().and_then(Records::runtime) else {
            let _ = self.write();
            return;
        };
        let own = Arc::clone(self);
        runtime.spawn_blocking(move || {
            let _ = own.write();
            then();
        });
    }

    /// Has the disk follow. Blocks.
    ///
    /// # Errors
    /// When there is no cache, or it cannot be written; what is missing is tried again with the next write.
    pub(crate) fn write(&self) -> Result<(), String> {
        let _order = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = Ok(());
        let changes = self.lock().unwritten();
        if changes.is_empty() {
            return outcome;
        }
        let Some(records) = &self.records else {
            let error = "there is no cache to remember it in: name a directory with --cache";
            if !self.told.swap(true, Ordering::Relaxed) {
                tell(error);
            }
            return Err(error.to_owned());
        };
        for (digest, condemnation) in changes {
            match records.put(&digest, condemnation.as_deref()) {
                Ok(()) => self.lock().written(&digest, condemnation.as_ref()),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Verdicts> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that what is condemned is forgotten with the host.
fn tell(error: &str) {
    tracing::warn!("what is condemned is not remembered across restarts: {error}");
}

#[cfg(test)]
mod tests;
