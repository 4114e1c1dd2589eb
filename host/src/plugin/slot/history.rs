//! The history of one slot: which generation serves, which ones it can go back to, and what was refused and why.

mod configuring;
mod notes;
mod offer;
mod rollback;
mod timeline;

pub use notes::RefusedGeneration;
pub(super) use offer::{Offer, Swapped};
pub(super) use rollback::Newcomer;
pub use rollback::{RollbackError, RolledBack};
pub use timeline::{HappenedBy, Happening, TimelineEntry};

use super::condemned::{Condemnation, Condemned};
use super::generation_counts::GenerationCounts;
use super::health::PluginHealth;
use crate::config::{PREVIOUS_GENERATIONS_MAX, Rollback};
use crate::flow::ServedBy;
use crate::plugin::load::LoadError;
use crate::plugin::load::turn::Turn;
use crate::plugin::role::RoleName;
use crate::plugin::roles::instances::IdleInstances;
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::run::plugin_state::PluginState;
use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use timeline::Timeline;

/// A plugin in service, with its name and digest, its health and its instances.
pub(super) struct Generation {
    pub(super) served_by: Arc<ServedBy>,
    pub(super) plugin: Arc<Plugin>,
    pub(super) health: PluginHealth,
    pub(super) counts: GenerationCounts,
    pub(super) idle: Arc<IdleInstances>,
}

impl Drop for Generation {
    /// The last call has ended: the generation is retired.
    fn drop(&mut self) {
        tracing::debug!(plugin = self.served_by.plugin, generation = self.served_by.generation, "retired");
    }
}

/// What serves and what did. Whoever calls the plugin reads `serving` and waits for nobody.
pub(super) struct History {
    pub(super) name: String,
    rules: Rollback,
    /// What every new generation has.
    plugin_state: ArcSwap<PluginState>,
    serving: ArcSwapOption<Generation>,
    past: Mutex<PastGenerations>,
    /// Locked after `past`, where both are.
    condemned: Arc<Condemned>,
}

#[derive(Default)]
struct PastGenerations {
    last_generation: u64,
    /// The newest turn that took effect; what was asked for before it no longer does.
    in_force: Turn,
    /// The name was unloaded or forgotten, and nothing takes effect any more.
    ended: bool,
    /// It was forgotten, which nobody asked for.
    forgotten: bool,
    /// What there is to go back to, the latest first, still compiled.
    previous: VecDeque<(Arc<ServedBy>, Arc<Plugin>)>,
    /// The bytes that were last read from the source, or written there.
    source_digest: Option<Arc<str>>,
    rolled_back: Option<RolledBack>,
    rollbacks: u64,
    pauses: u64,
    last_refused: Option<RefusedGeneration>,
    timeline: Timeline,
}

/// What the status of a slot tells of its history.
pub(super) struct HistoryView {
    pub(super) serving: Option<Arc<Generation>>,
    pub(super) previous: Vec<Arc<ServedBy>>,
    pub(super) rolled_back: Option<RolledBack>,
    /// Why the bytes of the source do not serve, if they are condemned.
    pub(super) condemned: Option<Arc<Condemnation>>,
    pub(super) rollbacks: u64,
    pub(super) pauses: u64,
    pub(super) last_refused: Option<RefusedGeneration>,
}

impl History {
    /// Of a slot whose name had `last_generation` generations before.
    pub(super) fn new(
        plugin_state: Arc<PluginState>,
        rules: Rollback,
        last_generation: u64,
        condemned: Arc<Condemned>,
    ) -> Self {
        let past = Mutex::new(PastGenerations { last_generation, ..PastGenerations::default() });
        let (name, plugin_state) = (plugin_state.name.clone(), ArcSwap::new(plugin_state));
        Self { name, rules, plugin_state, serving: ArcSwapOption::empty(), past, condemned }
    }

    /// The bounds and settings of the name, and its counts.
    pub(super) fn plugin_state(&self) -> Guard<Arc<PluginState>> {
        self.plugin_state.load()
    }

    /// The generation that serves now.
    pub(super) fn serving(&self) -> Option<Arc<Generation>> {
        self.serving.load_full()
    }

    /// What is read from the plugin that serves now; none if none does.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Plugin) -> T) -> Option<T> {
        self.serving.load().as_ref().map(|generation| read(&generation.plugin))
    }

    /// Whether something that was asked for later has taken effect.
    pub(super) fn is_superseded(&self, turn: Turn) -> bool {
        self.lock().is_superseded(turn)
    }

    /// What serves, if it has this digest: then that is what was asked for at this turn.
    pub(super) fn confirm(&self, turn: Turn, digest: &str) -> Option<Arc<ServedBy>> {
        self.confirm_within(&mut self.lock(), turn, digest)
    }

    /// Puts a plugin into service, unless something that was asked for later serves already. When this returns, no new
    /// call reaches an older generation. One of the `same_code_as` what serves takes its place, so that saved examples push out
    /// nothing that there is to go back to.
    ///
    /// # Errors
    /// When something that was asked for later took effect, the plugin lacks a role of the one that serves, or it is
    /// condemned and nobody `asked` for it.
    pub(super) fn swap(&self, turn: Turn, plugin: Arc<Plugin>, offer: Offer<'_>) -> Result<Swapped, LoadError> {
        let Offer { same_code_as, asked, still_wanted, judgement } = offer;
        let mut past = self.lock();
        if let Some(served_by) = self.confirm_within(&mut past, turn, plugin.digest()) {
            return Ok(Swapped::Serves { served_by, changed: false });
        }
        if past.is_superseded(turn) {
            return Err(LoadError::Superseded);
        }
        if !judgement.is_of(self.serving.load().as_ref().map(|serving| &*serving.served_by.digest)) {
            return Ok(Swapped::OtherServes);
        }
        let mut proven = None;
        if let Some(serving) = &*self.serving.load() {
            LoadError::of_lost_role(&serving.plugin, &plugin)?;
            let is_same_code = same_code_as == Some(&*serving.served_by.digest);
            proven = is_same_code.then(|| serving.health.is_proven());
        }
        // It may have been condemned while it was loaded once more.
        if let Some(condemned) = self.condemned.get(plugin.digest()).filter(|_| !asked) {
            return Err(LoadError::Probation(condemned.refusal()));
        }
        let replaced = self.serving.load().as_ref().map_or(0, |serving| serving.served_by.generation);
        if still_wanted.is_some_and(|still_wanted| !still_wanted(replaced)) {
            return Err(LoadError::Superseded);
        }
        past.in_force = turn;
        past.rolled_back = None;
        if self.condemned.forgive(plugin.digest()) {
            tracing::warn!(
                plugin = self.name,
                digest = &**plugin.digest(),
                "condemned bytes serve again, since they were asked for"
            );
        }
        let (served_by, before) = self.publish(&mut past, plugin, proven.unwrap_or_default());
        let entry = TimelineEntry::new(Happening::Loaded, HappenedBy::of_load(asked)).of(&served_by);
        past.timeline.note(match judgement.remark() {
            Some(remark) => entry.because(remark),
            None => entry,
        });
        if let Some(before) = before.filter(|_| proven.is_none()) {
            past.previous.push_front((Arc::clone(&before.served_by), Arc::clone(&before.plugin)));
            past.previous.truncate(PREVIOUS_GENERATIONS_MAX);
        }
        Ok(Swapped::Serves { served_by, changed: true })
    }

    /// Lets nothing take effect any more; calls that hold the slot end on what serves. Returns the last generation's
    /// number. None, and no change, if the slot has to be `empty` and a generation serves.
    pub(super) fn end(&self, empty: bool) -> Option<u64> {
        let mut past = self.lock();
        if empty && self.serving.load().is_some() {
            return None;
        }
        (past.ended, past.forgotten) = (true, empty);
        Some(past.last_generation)
    }

    /// Whether its name was unloaded or forgotten.
    pub(super) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// Whether it was ended because it was empty, rather than on demand.
    pub(super) fn was_forgotten(&self) -> bool {
        self.lock().forgotten
    }

    fn confirm_within(&self, past: &mut PastGenerations, turn: Turn, digest: &str) -> Option<Arc<ServedBy>> {
        let serving = self.serving.load_full().filter(|serving| serving.served_by.digest == digest && !past.ended)?;
        past.in_force = past.in_force.max(turn);
        Some(Arc::clone(&serving.served_by))
    }

    /// Takes note of what the source holds.
    pub(super) fn source_holds(&self, digest: Arc<str>) {
        self.lock().source_digest = Some(digest);
    }

    /// Whether the source held these bytes when it was last looked at.
    pub(super) fn is_in_source(&self, digest: &str) -> bool {
        self.lock().source_digest.as_deref() == Some(digest)
    }

    /// The digests of what serves and of what there is to go back to.
    pub(super) fn digests(&self) -> Vec<Arc<str>> {
        let past = self.lock();
        let serving = self.serving().map(|serving| Arc::clone(serving.plugin.digest()));
        serving.into_iter().chain(past.previous.iter().map(|(_, plugin)| Arc::clone(plugin.digest()))).collect()
    }

    pub(super) fn view(&self) -> HistoryView {
        let past = self.lock();
        HistoryView {
            serving: self.serving(),
            previous: past.previous.iter().map(|(served_by, _)| Arc::clone(served_by)).collect(),
            rolled_back: past.rolled_back.clone(),
            condemned: past.source_digest.as_deref().and_then(|digest| self.condemned.get(digest)),
            rollbacks: past.rollbacks,
            pauses: past.pauses,
            last_refused: past.last_refused.clone(),
        }
    }

    /// Gives a plugin the next number and the slot. Also returns what served before.
    fn publish(
        &self,
        past: &mut PastGenerations,
        plugin: Arc<Plugin>,
        proven: bool,
    ) -> (Arc<ServedBy>, Option<Arc<Generation>>) {
        let plugin_state = self.plugin_state.load();
        let is_current = Arc::ptr_eq(&plugin.sandbox.plugin_state, &plugin_state);
        let plugin = if is_current { plugin } else { Arc::new(plugin.configured(Arc::clone(&plugin_state))) };
        past.last_generation += 1;
        let served_by = Arc::new(ServedBy {
            plugin: self.name.clone(),
            generation: past.last_generation,
            digest: plugin.digest().to_string(),
            artifact: plugin.artifact.as_deref().map(str::to_owned),
            message_role: plugin.name_of_role(RoleName::PROCESSOR).map(RoleName::as_str),
        });
        let health = PluginHealth::new(self.rules, proven);
        let idle = Arc::<IdleInstances>::default();
        plugin.sandbox.keep_warm(&idle.warm);
        let counts = GenerationCounts::default();
        let generation = Generation { served_by: Arc::clone(&served_by), plugin, health, counts, idle };
        (served_by, self.serving.swap(Some(Arc::new(generation))))
    }

    fn lock(&self) -> MutexGuard<'_, PastGenerations> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PastGenerations {
    fn is_superseded(&self, turn: Turn) -> bool {
        self.ended || turn < self.in_force
    }
}
