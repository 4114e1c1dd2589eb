//! All slots by name. A name that ever served stays until it is unloaded: a deleted file keeps its last generation
//! serving.

mod configuring;
mod handing_in;
mod load_log;
mod rehearsing;
mod trying;
mod unloading;

pub use trying::AddExamplesError;
pub use unloading::{UnloadError, UnloadReport};

use super::condemned::Condemned;
use super::condemned::records::RecordsDirectory;
use super::kept::Kept;
use super::{Cause, Loaded, Slot};
use crate::buckets::{Backends, PluginBuckets};
use crate::config::{BUSY_RETRY_MS, Config, Place};
use crate::ledger::HopCounts;
use crate::oci::{Registries, Transport};
use crate::plugin::load::LoadError;
use crate::plugin::load::copies::Copies;
use crate::plugin::load::engine::Engine;
use crate::plugin::load::gate::{Gate, SlotGate};
use crate::plugin::load::oci_cache::OciCache;
use crate::plugin::load::origin::ComponentOrigin;
use crate::plugin::load::sources::Source;
use crate::plugin::run::plugin_state::PluginState;
use arc_swap::ArcSwap;
use load_log::{log_load, log_refusal};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use unloading::{UnlistedSlots, Unloaded};

/// All slots, and what loads into them.
pub struct Slots {
    engine: Engine,
    config: ArcSwap<Config>,
    registries: Arc<Registries>,
    oci_cache: Option<Arc<OciCache>>,
    kept: Kept,
    records: Option<Arc<RecordsDirectory>>,
    gate: Option<Arc<dyn Gate>>,
    /// What buckets are kept in.
    backends: Backends,
    /// Whether it is no host that components are loaded for, so that they find empty buckets where nothing grants them any.
    only_tries: bool,
    /// Whether plugins come from a scan of their directory, rather than by name.
    scans: bool,
    by_name: ArcSwap<BTreeMap<String, Arc<Slot>>>,
    /// The plugin that answers the frontend.
    policy: OnceLock<String>,
    // Two changes of `by_name` at the same time must not undo each other; readers never wait for it.
    unlisted: Mutex<UnlistedSlots>,
}

impl Slots {
    /// No slots yet; `config` gives each its limits and settings. `scans` says whether the next start finds a new file
    /// in the plugins' directory.
    pub fn new(engine: Engine, config: Config, scans: bool) -> Self {
        let registries = Arc::new(Registries::new(Transport::from(&config.oci)));
        let copies = engine.cache.as_deref().map(|cache| Arc::new(Copies::below(cache)));
        let kept = Kept::new(copies.clone());
        let records = engine.cache.as_deref().map(|cache| Arc::new(RecordsDirectory::below(cache)));
        let oci_cache = engine.cache.as_deref().zip(copies);
        let oci_cache = oci_cache.map(|(cache, copies)| Arc::new(OciCache::below(cache, copies)));
        let (gate, backends, only_tries, by_name, policy, unlisted) = Default::default();
        let config = ArcSwap::from_pointee(config);
        Self {
            engine,
            config,
            registries,
            oci_cache,
            kept,
            records,
            gate,
            backends,
            only_tries,
            scans,
            by_name,
            policy,
            unlisted,
        }
    }

    /// Keeps no copies, and neither knows nor changes what hosts have condemned: for who only tries a component.
    pub fn without_memory(mut self) -> Self {
        (self.kept, self.records) = Default::default();
        self.only_tries = true;
        self
    }

    /// Holds newcomers to what serves by this gate, where the configuration asks for it.
    pub fn with_gate(mut self, gate: Arc<dyn Gate>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Keeps buckets in these.
    pub fn with_backends(mut self, backends: Backends) -> Self {
        self.backends = backends;
        self
    }

    /// The slot of a name.
    pub fn get(&self, name: &str) -> Option<Arc<Slot>> {
        self.by_name.load().get(name).cloned()
    }

    /// All slots, by name.
    pub fn all(&self) -> Vec<Arc<Slot>> {
        self.by_name.load().values().cloned().collect()
    }

    /// What became of the calls of each plugin, by name; of those too that were unloaded.
    pub fn counts(&self) -> Vec<(String, HopCounts)> {
        let unlisted = self.unlisted();
        let unloaded = unlisted.unloaded.iter().map(|(name, unloaded)| (name, unloaded.plugin_state.hop.figures()));
        let mut counts: BTreeMap<_, _> = unloaded.map(|(name, counts)| (name.clone(), counts)).collect();
        counts.extend(self.all().iter().map(|slot| (slot.name().to_owned(), slot.counts())));
        counts.into_iter().collect()
    }

    /// The host ends: calls that are dropped from now on count as given up by the host, not by the caller.
    pub fn close_hops(&self) {
        self.unlisted().unloaded.values().for_each(|unloaded| unloaded.plugin_state.hop.close());
        self.all().iter().for_each(|slot| slot.plugin_state().hop.close());
    }

    /// Has the disk follow what is condemned, before the host ends. Blocks.
    pub fn write_condemned(&self) {
        self.all().iter().for_each(|slot| slot.write_condemned());
    }

    /// Says which plugin answers the frontend, once for all.
    pub fn set_policy(&self, slot: &Slot) {
        let _ = self.policy.set(slot.name().to_owned());
    }

    /// Whether a plugin answers the frontend.
    pub fn is_policy(&self, slot: &Slot) -> bool {
        self.policy.get().is_some_and(|name| name == slot.name())
    }

    /// The slots of sources, made empty where the name is new. One that was unloaded stays so.
    pub fn add_all(&self, sources: Vec<Source>) -> Vec<Arc<Slot>> {
        let unlisted = self.unlisted();
        let mut by_name = self.by_name.load_full();
        let slot = |source: Source| match by_name.get(&source.name) {
            Some(slot) => Some(Arc::clone(slot)),
            None if unlisted.unloaded.contains_key(&source.name) => None,
            None => {
                let slot = self.empty(source, None);
                // A copy of the map at the first, and none after it: a new map for each of them would be quadratic.
                Arc::make_mut(&mut by_name).insert(slot.name().to_owned(), Arc::clone(&slot));
                Some(slot)
            }
        };
        let slots = sources.into_iter().filter_map(slot).collect();
        self.by_name.store(by_name);
        slots
    }

    /// Loads a slot from its source and logs what came of it. One of [`Slots::loadable`] becomes known when it serves.
    ///
    /// Returns what serves; none if the bytes were left alone, which nobody asked for.
    ///
    /// # Errors
    /// When the source cannot be read or pulled, or the component is refused.
    pub async fn load(&self, slot: &Arc<Slot>, cause: Cause) -> Result<Option<Loaded>, LoadError> {
        let outcome = self.load_unlogged(slot, cause).await;
        let source = slot.source();
        match &outcome {
            Ok(loaded) => log_load(slot.name(), source, loaded.as_ref()),
            Err(error) => log_refusal(slot.name(), source, cause.is_asked(), error),
        }
        outcome
    }

    async fn load_unlogged(&self, slot: &Arc<Slot>, cause: Cause) -> Result<Option<Loaded>, LoadError> {
        let outcome = slot.load(&self.engine, cause).await;
        if outcome.is_ok()
            && let Some(other) = self.arrived(slot)
        {
            return other.load(&self.engine, cause).await;
        }
        outcome
    }

    /// How often it is looked whether a slot's tag has moved; none where it cannot, or nobody wants to know.
    pub(crate) fn poll_interval(&self, slot: &Slot) -> Option<Duration> {
        let is_tag = matches!(slot.source(), Place::Registry(reference) if reference.is_tag());
        self.config.load().poll_of(slot.name()).filter(|_| is_tag)
    }

    /// As [`Slots::load`], for a look that nobody asked for: what is wrong with a registry is logged once, and that it
    /// is well again. `complaint` is what there was to say last time. Returns whether the registry does not let us in.
    pub(crate) async fn look(&self, slot: &Slot, complaint: &mut Option<String>) -> bool {
        let outcome = slot.load(&self.engine, Cause::Noticed).await;
        let (name, source) = (slot.name(), slot.source());
        let trouble = match &outcome {
            // All causes count as one complaint: a connection that times out is followed by one that is refused.
            Err(LoadError::Unreachable(_)) => Some(String::new()),
            Err(LoadError::Pull(why) | LoadError::Denied(why)) => Some(why.clone()),
            _ => None,
        };
        let denied = matches!(outcome, Err(LoadError::Denied(_)));
        let before = std::mem::replace(complaint, trouble);
        if complaint.is_some() && *complaint == before {
            return denied;
        }
        if complaint.is_none() && before.is_some() {
            tracing::info!(plugin = name, %source, "the registry answers again");
        }
        match &outcome {
            Ok(loaded) => log_load(name, source, loaded.as_ref()),
            Err(error) => log_refusal(name, source, false, error),
        }
        denied
    }

    /// How large a component of this name may be, whether there is a plugin of that name or not.
    pub fn component_bytes_max(&self, name: &str) -> u64 {
        self.config.load().limits_of(name).component_bytes_max
    }

    /// As [`Slots::load`], again and again while the machine is too busy for it: that says nothing of the component,
    /// which will not change for it.
    ///
    /// # Errors
    /// As [`Slots::load`], except that it never is [`LoadError::Busy`].
    pub async fn load_in_time(&self, slot: &Arc<Slot>, cause: Cause) -> Result<Option<Loaded>, LoadError> {
        loop {
            match self.load(slot, cause).await {
                Err(LoadError::Busy { .. }) => tokio::time::sleep(Duration::from_millis(BUSY_RETRY_MS)).await,
                outcome => return outcome,
            }
        }
    }

    /// As [`Slots::load_in_time`], of a plugin without which the host does not start. Its refusal is not logged: the
    /// error is what the host ends with, and told there.
    ///
    /// # Errors
    /// As [`Slots::load_in_time`].
    pub async fn load_or_end(&self, slot: &Arc<Slot>) -> Result<Option<Loaded>, LoadError> {
        loop {
            let outcome = self.load_unlogged(slot, Cause::Started).await;
            match &outcome {
                Ok(loaded) => log_load(slot.name(), slot.source(), loaded.as_ref()),
                Err(error @ LoadError::Busy { .. }) => {
                    log_refusal(slot.name(), slot.source(), false, error);
                    tokio::time::sleep(Duration::from_millis(BUSY_RETRY_MS)).await;
                    continue;
                }
                // The host starts without it.
                Err(error @ LoadError::NoReplacement(_)) => log_refusal(slot.name(), slot.source(), false, error),
                Err(_) => {}
            }
            return outcome;
        }
    }

    fn empty(&self, source: Source, before: Option<&Unloaded>) -> Arc<Slot> {
        let Source { name, place } = source;
        let config = self.config.load();
        let (plugin_state, last_generation, condemned) = match before {
            Some(Unloaded { plugin_state, last_generation, condemned, .. }) => {
                let (limits, settings) = (config.limits_of(&name), config.settings_of(&name));
                let granted = config.buckets_of(&name);
                let plugin_state = plugin_state.configured(limits, settings, (&granted, &self.backends));
                (Arc::new(plugin_state), *last_generation, Arc::clone(condemned))
            }
            None => {
                let (limits, settings) = (config.limits_of(&name), config.settings_of(&name));
                let (instances, outbound) = (config.instances_of(&name), config.outbound_of(&name));
                let granted = config.buckets_of(&name);
                let buckets = match granted.is_empty() && self.only_tries {
                    true => PluginBuckets::of_any_name(),
                    false => PluginBuckets::open(&name, &granted, &self.backends),
                };
                let condemned = Condemned::new(self.records.as_ref(), &name, &whereabouts(&place));
                let plugin_state = PluginState::new(name, limits, settings, instances, outbound, buckets);
                (Arc::new(plugin_state), 0, condemned)
            }
        };
        let origin = ComponentOrigin::new(place, Arc::clone(&self.registries), self.oci_cache.clone());
        let memory = (condemned, self.kept.clone());
        let gate = SlotGate::new(self.gate.clone(), config.gate_of(&plugin_state.name));
        Arc::new(Slot::new(origin, plugin_state, config.rollback, last_generation, memory, gate))
    }

    fn unlisted(&self) -> MutexGuard<'_, UnlistedSlots> {
        self.unlisted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same text for the same place, whatever directory the host was started in.
fn whereabouts(place: &Place) -> String {
    match place {
        Place::File(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string(),
        Place::Registry(reference) => reference.to_string(),
    }
}
