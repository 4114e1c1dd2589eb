//! The shadows of a host: one beside each plugin at most.

use super::asked::{Asked, AskedError, Terms, Wanted};
use super::calling::{Calling, Promote};
use super::running::{Newcomer, Shadow};
use super::status::{ShadowState, ShadowStatus};
use crate::config::{SHADOWS_LISTED_MAX, SHADOWS_MAX};
use crate::flow::{Recorder, Recording, ServedBy};
use crate::ledger::Ledger;
use crate::plugin::{LoadError, Loaded, NothingLoaded, PutError, Slot, Slots};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the names of their hops begin with.
const HOP: &str = "shadows";

/// Why a shadow is not begun.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// What is asked for makes no sense.
    #[error(transparent)]
    Asked(#[from] AskedError),
    /// Nothing serves that it could stand beside.
    #[error(transparent)]
    Nothing(#[from] NothingLoaded),
    /// The plugin answers HTTP itself, and its calls are not made again.
    #[error("it answers HTTP itself, and its calls are not made again: a shadow is called on messages")]
    Handler,
    /// One stands there already, or as many as may.
    #[error("{0}")]
    TooMany(String),
    /// The component is refused.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Why a shadow does not serve.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// There is none that runs.
    #[error("no shadow runs beside it: begin one with `tidegate plugin shadow`")]
    None,
    /// What is asked for makes no sense.
    #[error(transparent)]
    Asked(#[from] AskedError),
    /// Too much differs, or too little was compared.
    #[error("{0}")]
    Refused(String),
    /// Nothing serves any more.
    #[error(transparent)]
    Nothing(#[from] NothingLoaded),
    /// The component is refused, or not kept.
    #[error(transparent)]
    Put(#[from] PutError),
}

/// What serves once a shadow was promoted.
#[derive(Debug)]
pub struct Promoted {
    /// The generation.
    pub served_by: Arc<ServedBy>,
    /// Whether it is a new one.
    pub changed: bool,
    /// Whether the next start loads it too.
    pub persisted: bool,
}

/// Begins, promotes and ends shadows. Cheap to clone.
#[derive(Clone)]
pub struct Shadows(Arc<Shared>);

struct Shared {
    slots: Arc<Slots>,
    recording: Recording,
    ledger: Ledger,
    by_plugin: Mutex<BTreeMap<String, Arc<Shadow>>>,
}

impl Shadows {
    /// None yet.
    pub fn new(slots: Arc<Slots>, recording: Recording, ledger: Ledger) -> Self {
        Self(Arc::new(Shared { slots, recording, ledger, by_plugin: Mutex::default() }))
    }

    /// Has a component stand beside a plugin; without one, what serves itself under other settings.
    ///
    /// # Errors
    /// When it makes no sense, one stands there already, or the component is refused.
    pub async fn start(
        &self,
        slot: Arc<Slot>,
        component: Option<Vec<u8>>,
        asked: Asked,
    ) -> Result<ShadowStatus, ShadowError> {
        let wanted = Wanted::of(&asked)?;
        let is_auto = wanted.auto;
        self.check_room(slot.name())?;
        let slots = &self.0.slots;
        let (plugin, newcomer) = match component {
            Some(bytes) => {
                let bytes = Arc::new(bytes);
                (slots.load_newcomer(&slot, Arc::clone(&bytes)).await?, Newcomer::Component(bytes))
            }
            None => {
                let (plugin, all) = slots.with_settings(&slot, asked.set.clone())?;
                (plugin, Newcomer::Settings { all, asked: asked.set })
            }
        };
        let serving = slot.serving_for_rehearsal().ok_or(NothingLoaded)?;
        if !serving.1.is_stage() {
            return Err(ShadowError::Handler);
        }
        let hop = self.0.ledger.hop(&format!("{HOP}.{}", slot.name()));
        let shadow = Arc::new(Shadow::new(slot, &plugin, newcomer, wanted, Arc::clone(&serving.0), hop));
        self.add(&shadow)?;
        let number = self.0.recording.begin(Arc::clone(&shadow) as Arc<dyn Recorder>);
        let promote = is_auto.then(|| self.promotion_of(&shadow));
        let calling = Calling::new(Arc::clone(&shadow), promote, slots.seed(), serving);
        let ended = Ended(self.0.recording.clone(), number);
        plugin.spawn_in_background(async move {
            calling.run().await;
            drop(ended);
        });
        tracing::info!(plugin = shadow.name(), digest = &**plugin.digest(), "a shadow stands beside the plugin");
        Ok(shadow.status())
    }

    /// That beside the plugin of this name, as it is, or was at its end.
    pub fn status(&self, plugin: &str) -> Option<ShadowStatus> {
        self.end_unloaded();
        self.lock().get(plugin).map(|shadow| shadow.status())
    }

    /// All, by plugin; of those that have ended the last.
    pub fn list(&self) -> Vec<ShadowStatus> {
        self.end_unloaded();
        let shadows: Vec<_> = self.lock().values().cloned().collect();
        shadows.iter().map(|shadow| shadow.status()).collect()
    }

    /// Ends the one beside the plugin of this name; none if there is none.
    pub fn stop(&self, plugin: &str) -> Option<ShadowStatus> {
        let shadow = self.lock().get(plugin).cloned()?;
        shadow.end(ShadowState::Stopped, None);
        Some(shadow.status())
    }

    /// Has it take the place of what serves, if it may by what it was begun with, but for what is `asked` otherwise. With
    /// `persist` its component becomes the content of the plugin's source.
    ///
    /// # Errors
    /// When it may not, and when the component is refused.
    pub async fn promote(&self, plugin: &str, asked: &Asked, persist: bool) -> Result<Promoted, PromoteError> {
        self.end_unloaded();
        let shadow = self.lock().get(plugin).filter(|shadow| shadow.is_running()).cloned();
        let shadow = shadow.ok_or(PromoteError::None)?;
        let terms = shadow.wanted.terms.with(asked)?;
        self.promote_within(&shadow, terms, persist).await
    }

    /// What has a shadow serve by itself once it may.
    fn promotion_of(&self, shadow: &Arc<Shadow>) -> Promote {
        let (shadows, shadow) = (self.clone(), Arc::clone(shadow));
        Box::new(move || {
            let (shadows, shadow) = (shadows.clone(), Arc::clone(&shadow));
            Box::pin(async move { shadows.promote_if_due(&shadow).await })
        })
    }

    async fn promote_if_due(&self, shadow: &Shadow) {
        let terms = shadow.wanted.terms;
        {
            let mut progress = shadow.progress();
            if progress.comparison.counts().compared() < terms.min_calls || progress.was_refused {
                return;
            }
            if let Err(why) = progress.check(terms) {
                // A share may hold again later.
                let is_news = progress.why.is_none();
                progress.why = Some(why.clone());
                if is_news {
                    tracing::warn!(plugin = shadow.name(), why, "a shadow does not serve by itself");
                }
                return;
            }
        }
        if let Err(error) = self.promote_within(shadow, terms, false).await {
            tracing::warn!(plugin = shadow.name(), %error, "a shadow does not serve by itself");
            let mut progress = shadow.progress();
            (progress.why, progress.was_refused) = (Some(error.to_string()), true);
        }
    }

    async fn promote_within(&self, shadow: &Shadow, terms: Terms, persist: bool) -> Result<Promoted, PromoteError> {
        let (slot, slots) = (&shadow.slot, &self.0.slots);
        let now = slot.serving_for_rehearsal().ok_or(NothingLoaded)?.0;
        {
            let progress = shadow.progress();
            if now.generation != progress.against.generation {
                return Err(PromoteError::Refused(format!(
                    "generation {} serves by now, and it was compared with {}",
                    now.generation, progress.against.generation
                )));
            }
            progress.check(terms).map_err(PromoteError::Refused)?;
        }
        let promoted = match &shadow.newcomer {
            Newcomer::Component(bytes) => {
                let loaded = slots.put(slot.name(), (**bytes).clone(), persist).await;
                let Loaded { served_by, changed, .. } = loaded?;
                Promoted { served_by, changed, persisted: persist }
            }
            Newcomer::Settings { all, .. } => {
                let served_by = slots.change_settings(slot, all.clone())?;
                Promoted { changed: served_by.generation != now.generation, served_by, persisted: false }
            }
        };
        let generation = promoted.served_by.generation;
        tracing::info!(plugin = slot.name(), generation, "a shadow serves from now on");
        shadow.end(ShadowState::Promoted, Some(format!("it serves as generation {generation}")));
        Ok(promoted)
    }

    /// Ends all, and waits up to `wait` until nothing is called. None begins any more. Blocks.
    pub fn close(&self, wait: Duration) {
        let shadows: Vec<_> = self.lock().values().cloned().collect();
        shadows.iter().for_each(|shadow| shadow.end(ShadowState::Stopped, None));
        let deadline = Instant::now() + wait;
        while shadows.iter().any(|shadow| !shadow.is_over()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A plugin that was unloaded has no calls that one could stand beside.
    fn end_unloaded(&self) {
        let shadows: Vec<_> = self.lock().values().filter(|shadow| shadow.is_running()).cloned().collect();
        for shadow in shadows {
            let is_there = self.0.slots.get(shadow.name()).is_some_and(|slot| Arc::ptr_eq(&slot, &shadow.slot));
            if !is_there {
                shadow.end(ShadowState::Ended, Some("the plugin was unloaded".to_owned()));
            }
        }
    }

    /// # Errors
    /// When there is no room for another one beside this plugin.
    fn check_room(&self, plugin: &str) -> Result<(), ShadowError> {
        self.end_unloaded();
        check_room(&self.lock(), plugin)
    }

    fn add(&self, shadow: &Arc<Shadow>) -> Result<(), ShadowError> {
        let mut by_plugin = self.lock();
        check_room(&by_plugin, shadow.name())?;
        by_plugin.insert(shadow.name().to_owned(), Arc::clone(shadow));
        while by_plugin.len() > SHADOWS_LISTED_MAX
            && let Some(ended) = by_plugin.iter().find(|(_, other)| !other.is_running()).map(|(name, _)| name.clone())
        {
            by_plugin.remove(&ended);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Shadow>>> {
        self.0.by_plugin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_room(by_plugin: &BTreeMap<String, Arc<Shadow>>, plugin: &str) -> Result<(), ShadowError> {
    let running = || by_plugin.values().filter(|shadow| shadow.is_running());
    if running().any(|shadow| shadow.name() == plugin) {
        return Err(ShadowError::TooMany(format!("a shadow stands beside {plugin} already: stop it first")));
    }
    if running().count() >= SHADOWS_MAX {
        return Err(ShadowError::TooMany(format!("{SHADOWS_MAX} shadows run already: stop one")));
    }
    Ok(())
}

/// Nothing more is recorded for a shadow that has ended, however it did.
struct Ended(Recording, u64);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}
