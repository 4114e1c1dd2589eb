//! Names that lead to no plugin: those that were unloaded or forgotten, and new ones until they serve.

use super::Slots;
use crate::config::{Place, SLOTS_MAX};
use crate::plugin::load::sources::Source;
use crate::plugin::load::turn::Turn;
use crate::plugin::run::plugin_state::PluginState;
use crate::plugin::slot::Slot;
use crate::plugin::slot::condemned::Condemned;
use crate::system::file_watch::Fingerprint;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Weak};

/// Names that lead to no plugin.
#[derive(Default)]
pub(crate) struct UnlistedSlots {
    /// Those that were unloaded.
    pub(crate) unloaded: BTreeMap<String, Unloaded>,
    /// New ones, while their first component is loaded.
    pub(crate) arriving: BTreeMap<String, Weak<Slot>>,
}

/// What stays of a plugin that was unloaded.
pub(crate) struct Unloaded {
    turn: Turn,
    place: Place,
    /// Its calls are in the ledger until the end, and some may still run.
    pub(crate) plugin_state: Arc<PluginState>,
    /// No number is used twice.
    pub(crate) last_generation: u64,
    /// What is condemned stays so.
    pub(crate) condemned: Arc<Condemned>,
    /// Its file as it was: only another one is loaded by itself.
    file: Option<Fingerprint>,
}

/// What is reported of a plugin that was unloaded.
#[derive(Clone, Debug, Serialize)]
pub struct UnloadReport {
    /// Its name.
    pub plugin: String,
    /// The generation that served; none if none ever did.
    pub generation: Option<u64>,
    /// The calls that end on it.
    pub calls_in_flight: u64,
    /// Where it came from.
    pub source: String,
    /// Whether the source is still there, so that the next start loads it again.
    pub returns: bool,
}

/// Why a plugin is not unloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnloadError {
    /// There is none of this name.
    #[error("no plugin has this name")]
    Unknown,
    /// The frontend would have nobody to ask.
    #[error(
        "it answers the frontend's requests; load another component in its place, or start the host with another --policy"
    )]
    Policy,
}

impl UnlistedSlots {
    /// Forgets what was unloaded longest ago, and with it its counts, once there are too many.
    fn bound(&mut self) {
        let oldest = self.unloaded.iter().min_by_key(|(_, unloaded)| unloaded.turn).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest.filter(|_| self.unloaded.len() > SLOTS_MAX) {
            self.unloaded.remove(&oldest);
        }
    }
}

impl Slots {
    /// Ends the service of a plugin: its route is gone, calls that run end on it, and its file is left alone until it
    /// changes or somebody asks for it.
    ///
    /// # Errors
    /// When there is no plugin of this name, and when it answers the frontend.
    pub async fn unload(&self, name: &str) -> Result<UnloadReport, UnloadError> {
        let slot = self.get(name).ok_or(UnloadError::Unknown)?;
        if self.is_policy(&slot) {
            return Err(UnloadError::Policy);
        }
        let path = slot.file().map(Path::to_owned);
        let is_file = path.is_some();
        let file =
            tokio::task::spawn_blocking(move || path.as_deref().and_then(Fingerprint::of)).await.unwrap_or_default();
        let last_generation = self.remove(&slot, false, file).ok_or(UnloadError::Unknown)?;
        let source = slot.source().to_string();
        tracing::info!(plugin = name, generation = last_generation, source, "unloaded");
        Ok(UnloadReport {
            plugin: name.to_owned(),
            generation: (last_generation > 0).then_some(last_generation),
            calls_in_flight: slot.counts().in_flight,
            source,
            returns: file.is_some() || !is_file,
        })
    }

    /// Frees the name of a slot that serves nothing and whose file is gone. False if it is needed all the same.
    pub(crate) fn forget(&self, slot: &Arc<Slot>) -> bool {
        !self.is_policy(slot) && self.remove(slot, true, None).is_some()
    }

    /// Takes a slot off the map; returns the number of its last generation. None, and no change, if it serves and has
    /// to be `empty`, or is gone already.
    fn remove(&self, slot: &Arc<Slot>, empty: bool, file: Option<Fingerprint>) -> Option<u64> {
        let mut unlisted = self.unlisted();
        let mut by_name = BTreeMap::clone(&self.by_name.load());
        let name = slot.name();
        if !by_name.get(name).is_some_and(|known| Arc::ptr_eq(known, slot)) {
            return None;
        }
        let last_generation = slot.end(empty)?;
        by_name.remove(name);
        self.by_name.store(Arc::new(by_name));
        self.kept.release(name);
        // Of what never served and was never asked, there is nothing to keep.
        if !empty || last_generation > 0 || slot.counts().entered > 0 {
            let (place, plugin_state) = (slot.source().clone(), slot.plugin_state());
            let (turn, condemned) = (Turn::next(), Arc::clone(&slot.condemned));
            let unloaded = Unloaded { turn, place, plugin_state, last_generation, condemned, file };
            unlisted.unloaded.insert(name.to_owned(), unloaded);
            unlisted.bound();
        }
        Some(last_generation)
    }

    /// Makes the slots of unloaded plugins known again whose files have changed since. Blocks.
    pub(crate) fn return_changed(&self) {
        let files: Vec<_> = self
            .unlisted()
            .unloaded
            .iter()
            .filter_map(|(name, unloaded)| match &unloaded.place {
                Place::File(path) => Some((name.clone(), path.clone(), unloaded.file)),
                Place::Registry(_) => None,
            })
            .collect();
        for (name, path, file) in files {
            let now = Fingerprint::of(&path);
            if now.is_some() && now != file {
                let slot = self.arriving(&mut self.unlisted(), Source { name, place: path.into() });
                self.arrived(&slot);
            }
        }
    }

    /// The slot of a name that leads, or led, to a plugin. One that was unloaded becomes known when it serves again.
    pub fn loadable(&self, name: &str) -> Option<Arc<Slot>> {
        let mut unlisted = self.unlisted();
        self.get(name).or_else(|| {
            let place = unlisted.unloaded.get(name)?.place.clone();
            Some(self.arriving(&mut unlisted, Source { name: name.to_owned(), place }))
        })
    }

    /// An empty slot that is not known yet: the same one for all who load into it now.
    pub(crate) fn arriving(&self, unlisted: &mut UnlistedSlots, source: Source) -> Arc<Slot> {
        unlisted.arriving.retain(|_, slot| slot.strong_count() > 0);
        if let Some(slot) = unlisted.arriving.get(&source.name).and_then(Weak::upgrade) {
            return slot;
        }
        let name = source.name.clone();
        let slot = self.empty(source, unlisted.unloaded.get(&name));
        unlisted.arriving.insert(name, Arc::downgrade(&slot));
        slot
    }

    /// Makes a slot known that was arriving. Returns the one that has its name already, if that is another.
    pub(crate) fn arrived(&self, slot: &Arc<Slot>) -> Option<Arc<Slot>> {
        let mut unlisted = self.unlisted();
        let name = slot.name();
        if !unlisted.arriving.get(name).is_some_and(|arriving| std::ptr::eq(arriving.as_ptr(), Arc::as_ptr(slot))) {
            return None;
        }
        unlisted.arriving.remove(name);
        if let Some(known) = self.get(name) {
            return Some(known);
        }
        unlisted.unloaded.remove(name);
        let mut by_name = BTreeMap::clone(&self.by_name.load());
        by_name.insert(name.to_owned(), Arc::clone(slot));
        self.by_name.store(Arc::new(by_name));
        None
    }
}
