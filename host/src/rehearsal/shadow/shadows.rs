//! The shadows of a host: one beside each plugin or flow at most.

use super::apply::Apply;
use super::asked::{Asked, AskedError, Wanted};
use super::beside_flow::{BesideFlow, holds, steps_of};
use super::beside_plugin::BesidePlugin;
use super::calling::{Calling, Trial};
use super::live::{Beside, Live, flow_key};
use super::running::{Holds, Shadow};
use super::status::{Against, ShadowState, ShadowStatus};
use crate::config::{SHADOWS_LISTED_MAX, SHADOWS_MAX};
use crate::flow::{Recorder, Recording, Surfaces};
use crate::ledger::Ledger;
use crate::plugin::{LoadError, NothingLoaded, Rehearsal, Slot, Slots};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What the names of their hops begin with.
const HOP: &str = "shadows";

/// What a shadow stands beside.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// The plugin of this name.
    Plugin(&'a str),
    /// The flow of this name.
    Flow(&'a str),
}

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
    /// There is no such flow, or no such chain.
    #[error("{0}")]
    Chain(String),
    /// The component is refused.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Begins, promotes and ends shadows. Cheap to clone.
#[derive(Clone)]
pub struct Shadows(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) slots: Arc<Slots>,
    /// Has what they tried come into force; none before the host serves.
    pub(super) apply: OnceLock<Arc<dyn Apply>>,
    surfaces: Surfaces,
    recording: Recording,
    ledger: Ledger,
    by_key: Mutex<BTreeMap<String, Arc<Shadow>>>,
}

impl Shadows {
    /// None yet.
    pub fn new(slots: Arc<Slots>, surfaces: Surfaces, recording: Recording, ledger: Ledger) -> Self {
        let (apply, by_key) = Default::default();
        Self(Arc::new(Shared { slots, apply, surfaces, recording, ledger, by_key }))
    }

    /// What has settings and chains come into force.
    pub fn applied_by(&self, apply: Arc<dyn Apply>) {
        let _ = self.0.apply.set(apply);
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
        let key = slot.name().to_owned();
        self.check_room(&key)?;
        let slots = &self.0.slots;
        let serving = slot.serving_for_rehearsal().ok_or(NothingLoaded)?;
        if !serving.1.is_stage() {
            return Err(ShadowError::Handler);
        }
        let against = Against::of(&serving.0);
        let (plugin, bytes) = match component {
            Some(bytes) => {
                let bytes = Arc::new(bytes);
                (slots.load_newcomer(&slot, Arc::clone(&bytes)).await?, Some(bytes))
            }
            None => (slots.with_settings(&slot, asked.set.clone())?, None),
        };
        let newcomer = Arc::new(Rehearsal::new(&plugin));
        let trial = BesidePlugin::new(Arc::clone(slots), slot, newcomer, bytes, serving);
        let (beside, live) = (Beside::Plugin { name: key, set: asked.set }, trial.live());
        self.begin(beside, live, wanted, against, Box::new(trial))
    }

    /// Has another chain of plugins stand beside that of a flow.
    ///
    /// # Errors
    /// When it makes no sense, one stands there already, or there is no such flow or plugin.
    pub fn start_chain(&self, flow: &str, through: Vec<String>, asked: &Asked) -> Result<ShadowStatus, ShadowError> {
        let wanted = Wanted::of(asked)?;
        let (surfaces, slots) = (self.0.surfaces.clone(), Arc::clone(&self.0.slots));
        let seed = slots.seed();
        let trial = BesideFlow::new(flow, &through, surfaces, slots, seed).map_err(ShadowError::Chain)?;
        let (live, against) = (Live::Chain { cost: trial.cost() }, trial.against());
        self.begin(Beside::Flow { name: flow.to_owned(), through }, live, wanted, against, Box::new(trial))
    }

    fn begin(
        &self,
        beside: Beside,
        live: Live,
        wanted: Wanted,
        against: Against,
        trial: Box<dyn Trial>,
    ) -> Result<ShadowStatus, ShadowError> {
        let hop = self.0.ledger.hop(&format!("{HOP}.{}", beside.key()));
        let is_auto = wanted.auto;
        let holds = self.holds(&beside);
        let shadow = Arc::new(Shadow::new(beside, live, wanted, against, holds, hop));
        self.add(&shadow)?;
        let number = self.0.recording.begin(Arc::clone(&shadow) as Arc<dyn Recorder>);
        let promote = is_auto.then(|| self.promotion_of(&shadow));
        let calling = Calling::new(Arc::clone(&shadow), trial, promote);
        let ended = Ended(self.0.recording.clone(), number);
        self.0.slots.spawn_in_background(async move {
            calling.run().await;
            drop(ended);
        });
        tracing::info!(of = shadow.beside.key(), "a shadow is called beside what serves");
        Ok(shadow.status())
    }

    /// How one does, or did at its end.
    pub fn status(&self, of: Of<'_>) -> Option<ShadowStatus> {
        self.get(of).map(|shadow| shadow.status())
    }

    /// All; of those that have ended the last beside each.
    pub fn list(&self) -> Vec<ShadowStatus> {
        self.all().iter().map(|shadow| shadow.status()).collect()
    }

    /// The same, each with the groups that weigh most, and without inputs.
    pub fn list_in_short(&self) -> Vec<ShadowStatus> {
        self.all().iter().map(|shadow| shadow.in_short()).collect()
    }

    fn all(&self) -> Vec<Arc<Shadow>> {
        self.end_unloaded();
        self.lock().values().cloned().collect()
    }

    /// Ends one; none if there is none.
    pub fn stop(&self, of: Of<'_>) -> Option<ShadowStatus> {
        let shadow = self.get(of)?;
        shadow.end(ShadowState::Stopped, None);
        Some(shadow.status())
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

    pub(super) fn get(&self, of: Of<'_>) -> Option<Arc<Shadow>> {
        self.end_unloaded();
        self.lock().get(&of.key()).cloned()
    }

    /// Whether what a shadow was compared with still serves.
    fn holds(&self, beside: &Beside) -> Holds {
        let (slots, surfaces) = (Arc::clone(&self.0.slots), self.0.surfaces.clone());
        let flow = beside.flow().to_owned();
        Box::new(move |against| {
            let leads_so = flow.is_empty() || steps_of(&surfaces, &flow).is_some_and(|steps| steps == against.through);
            leads_so && holds(&slots, &against.generations)
        })
    }

    /// What was unloaded or is gone has no calls that one could stand beside.
    fn end_unloaded(&self) {
        let shadows: Vec<_> = self.lock().values().filter(|shadow| shadow.is_running()).cloned().collect();
        for shadow in shadows {
            let (is_gone, why) = match &shadow.beside {
                Beside::Plugin { .. } => {
                    // Another one of the name is another plugin.
                    let slot = shadow.progress().live.as_ref().and_then(Live::slot);
                    (slot.is_some_and(|slot| slot.generation().is_none()), "the plugin was unloaded")
                }
                Beside::Flow { name, .. } => (steps_of(&self.0.surfaces, name).is_none(), "the flow is gone"),
            };
            if is_gone {
                shadow.end(ShadowState::Ended, Some(why.to_owned()));
            }
        }
    }

    /// # Errors
    /// When there is no room for another one beside this.
    fn check_room(&self, key: &str) -> Result<(), ShadowError> {
        self.end_unloaded();
        check_room(&self.lock(), key)
    }

    fn add(&self, shadow: &Arc<Shadow>) -> Result<(), ShadowError> {
        let mut by_key = self.lock();
        let key = shadow.beside.key();
        check_room(&by_key, &key)?;
        by_key.insert(key, Arc::clone(shadow));
        while by_key.len() > SHADOWS_LISTED_MAX
            && let Some(ended) = by_key.iter().find(|(_, other)| !other.is_running()).map(|(key, _)| key.clone())
        {
            by_key.remove(&ended);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Shadow>>> {
        self.0.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Of<'_> {
    /// What it is called: the name of a plugin, or `flows.NAME`.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Plugin(name) => name.to_owned(),
            Self::Flow(name) => flow_key(name),
        }
    }
}

fn check_room(by_key: &BTreeMap<String, Arc<Shadow>>, key: &str) -> Result<(), ShadowError> {
    if by_key.get(key).is_some_and(|shadow| shadow.is_running()) {
        return Err(ShadowError::TooMany(format!("a shadow stands beside {key} already: stop it first")));
    }
    // One that was ended a moment ago may still be called.
    if by_key.values().filter(|shadow| !shadow.is_over()).count() >= SHADOWS_MAX {
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
