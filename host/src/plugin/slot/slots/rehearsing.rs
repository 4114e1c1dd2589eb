//! Newcomers beside what serves under a name: they are called like it, and serve nobody.

use super::Slots;
use crate::flow::ServedBy;
use crate::plugin::load::LoadError;
use crate::plugin::load::candidate::Candidate;
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::run::deterministic_random::Seed;
use crate::plugin::slot::{NothingLoaded, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Slots {
    /// Takes a component through every stage, under the bounds and settings of a plugin.
    ///
    /// # Errors
    /// When a stage refuses it, or it lacks a role of what serves.
    pub async fn load_newcomer(&self, slot: &Slot, bytes: Arc<Vec<u8>>) -> Result<Arc<Plugin>, LoadError> {
        let config = self.config.load_full();
        let (limits, settings) = (config.limits_of(slot.name()), config.settings_of(slot.name()));
        let candidate = Candidate::new(bytes).await?;
        let newcomer = self.engine.load_without_slot(slot.name(), candidate, limits, settings, None).await?;
        slot.read(|serving| LoadError::of_lost_role(serving, &newcomer)).unwrap_or(Ok(()))?;
        Ok(Arc::new(newcomer.as_newcomer(None)))
    }

    /// What serves, with other values of these settings. Also returns all settings that it has then.
    ///
    /// # Errors
    /// When nothing serves.
    pub fn with_settings(
        &self,
        slot: &Slot,
        changed: BTreeMap<String, String>,
    ) -> Result<(Arc<Plugin>, BTreeMap<String, String>), NothingLoaded> {
        let mut settings = self.config.load().settings_of(slot.name());
        settings.extend(changed);
        let newcomer = slot.read(|serving| serving.as_newcomer(Some(settings.clone()))).ok_or(NothingLoaded)?;
        Ok((Arc::new(newcomer), settings))
    }

    /// Does work on the threads of long calls, behind all traffic.
    pub(crate) fn spawn_in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.engine.runtimes.background_calls.spawn(work);
    }

    /// Where the randomness of all calls comes from.
    pub fn seed(&self) -> Seed {
        self.engine.seed()
    }
}

impl Slot {
    /// The number of the generation that serves.
    pub fn generation(&self) -> Option<u64> {
        self.history.serving().map(|serving| serving.served_by.generation)
    }

    /// What serves, to be called without serving anybody.
    pub fn serving_for_rehearsal(&self) -> Option<(Arc<ServedBy>, Arc<Plugin>)> {
        let serving = self.history.serving()?;
        Some((Arc::clone(&serving.served_by), Arc::new(serving.plugin.for_rehearsal())))
    }
}
