//! A plugin that the operator pauses: it is called no more until it is resumed, or another generation serves.

use super::Slot;
use super::history::{HappenedBy, Happening};
use crate::flow::ServedBy;

/// Nothing is loaded that could be paused or resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no plugin is loaded: load one first")]
pub struct NothingLoaded;

impl Slot {
    /// Has the generation that serves be called no more. Calls that run go on.
    ///
    /// # Errors
    /// When nothing is loaded.
    pub fn hold(&self) -> Result<(), NothingLoaded> {
        let serving = self.history.serving().ok_or(NothingLoaded)?;
        if serving.health.hold() {
            let ServedBy { plugin, generation, .. } = &*serving.served_by;
            self.history.note(&serving.served_by, Happening::Paused, HappenedBy::Operator);
            tracing::warn!(plugin, generation, "paused, as asked; it is called again once it is resumed");
        }
        Ok(())
    }

    /// Whether the operator has paused the generation that serves.
    pub fn is_held(&self) -> bool {
        self.history.serving().is_some_and(|serving| serving.health.is_held())
    }

    /// Has the generation that serves be called again, whoever has paused it.
    ///
    /// # Errors
    /// When nothing is loaded.
    pub fn resume(&self) -> Result<(), NothingLoaded> {
        let serving = self.history.serving().ok_or(NothingLoaded)?;
        if serving.health.resume() {
            let ServedBy { plugin, generation, .. } = &*serving.served_by;
            self.history.note(&serving.served_by, Happening::Resumed, HappenedBy::Operator);
            tracing::info!(plugin, generation, "resumed, as asked");
        }
        Ok(())
    }
}
