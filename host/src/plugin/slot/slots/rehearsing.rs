//! Newcomers beside what serves under a name: they are called like it, and serve nobody.

use super::Slots;
use super::load_log::log_put;
use crate::buckets::PluginBuckets;
use crate::flow::ServedBy;
use crate::plugin::load::LoadError;
use crate::plugin::load::candidate::{Candidate, StillWanted};
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::run::deterministic_random::Seed;
use crate::plugin::slot::{Loaded, NothingLoaded, Put, PutError, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Slots {
    /// Takes a component through every stage but the gate, under the bounds and settings of a plugin.
    ///
    /// # Errors
    /// When a stage refuses it, or it lacks a role of what serves.
    pub async fn load_newcomer(&self, slot: &Slot, bytes: Arc<Vec<u8>>) -> Result<Arc<Plugin>, LoadError> {
        let config = self.config.load_full();
        let (limits, settings) = (config.limits_of(slot.name()), config.settings_of(slot.name()));
        let candidate = Candidate::new(bytes).await?;
        let buckets = PluginBuckets::of_nobody(&config.buckets_of(slot.name()));
        let newcomer = self.engine.load_without_slot(slot.name(), candidate, limits, settings, buckets, None).await?;
        slot.read(|serving| LoadError::of_lost_role(serving, &newcomer)).unwrap_or(Ok(()))?;
        Ok(Arc::new(newcomer.as_newcomer(None)))
    }

    /// The same newcomer under the bounds and settings that are in force now.
    pub fn renewed(&self, slot: &Slot, newcomer: &Plugin) -> Arc<Plugin> {
        Arc::new(newcomer.under(slot.plugin_state().for_rehearsal()))
    }

    /// What serves, with other values of these settings.
    ///
    /// # Errors
    /// When nothing serves.
    pub fn with_settings(&self, slot: &Slot, changed: BTreeMap<String, String>) -> Result<Arc<Plugin>, NothingLoaded> {
        let mut settings = self.config.load().settings_of(slot.name());
        settings.extend(changed);
        let newcomer = slot.read(|serving| serving.as_newcomer(Some(settings))).ok_or(NothingLoaded)?;
        Ok(Arc::new(newcomer))
    }

    /// Has a newcomer serve under the name of this slot, and under no other, if it is still wanted at the last moment.
    ///
    /// # Errors
    /// When it is refused or wanted no more, or serves and could not be kept.
    pub async fn promote(
        &self,
        slot: &Slot,
        bytes: Arc<Vec<u8>>,
        put: Put,
        still_wanted: StillWanted,
    ) -> Result<Loaded, PutError> {
        let candidate = Candidate { still_wanted: Some(still_wanted), ..Candidate::new(bytes).await? };
        let outcome = slot.put(&self.engine, candidate, put).await;
        log_put(slot.name(), &outcome);
        outcome
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
    /// The number of the generation that serves; none where none does, or the name was unloaded.
    pub fn generation(&self) -> Option<u64> {
        let serving = self.history.serving().filter(|_| !self.history.is_ended())?;
        Some(serving.served_by.generation)
    }

    /// What serves, to be called without serving anybody; none where none does, or the name was unloaded.
    pub fn serving_for_rehearsal(&self) -> Option<(Arc<ServedBy>, Arc<Plugin>)> {
        let serving = self.history.serving().filter(|_| !self.history.is_ended())?;
        Some((Arc::clone(&serving.served_by), Arc::new(serving.plugin.for_rehearsal())))
    }
}
