//! Warm instances: new ones that are made while nothing else runs and wait for their first call, for guests that take long to
//! start; and the end of those that served, off the path of the calls as well.

use super::loaded::Plugin;
use super::reset_check::State;
use super::v0_1_0::Idle;
use crate::plugin::call::{CallError, CallNumber};
use crate::plugin::run::deterministic_random::Occasion;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::place::Place;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use wasmtime::Store;
use wasmtime::component::Instance;

/// How long it takes until another one is made where one could not be.
const PAUSE: Duration = Duration::from_secs(1);

/// A new instance, of whatever roles its component has.
pub(crate) struct New {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: Instance,
    pub(crate) state: Option<State>,
}

/// Those of one generation that wait.
#[derive(Default)]
pub(crate) struct Warm {
    ready: Mutex<Vec<New>>,
    /// Instances that have served and are not gone yet.
    ending: AtomicUsize,
    changed: Arc<Notify>,
}

impl Warm {
    /// How many wait.
    pub(crate) fn ready(&self) -> usize {
        self.lock().len()
    }

    fn take(&self, occasion: &Occasion) -> Option<New> {
        let mut new = self.lock().pop()?;
        self.changed.notify_one();
        Guest::again(&mut new.store, occasion.clone());
        Some(new)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<New>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Warm {
    /// The generation is retired, and whoever makes them has to learn of it.
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

impl Plugin {
    /// A new instance for a call: one that waits for it, or one that is made now.
    pub(crate) async fn new_instance(&self, idle: &Idle, occasion: Occasion) -> Result<New, CallError> {
        if self.account.warm > 0
            && let Some(new) = idle.warm.take(&occasion)
        {
            return Ok(new);
        }
        self.make_instance(idle, occasion).await
    }

    async fn make_instance(&self, idle: &Idle, occasion: Occasion) -> Result<New, CallError> {
        let mut store = self.store(occasion, Arc::clone(&idle.memory))?;
        let made = async {
            let instance = self.component.instantiate_async(&mut store).await?;
            let state = State::of(&mut store, &instance, self).await?;
            Ok((instance, state))
        };
        let made = made.await;
        let (instance, state) = self.unless_trapped(made, &store)?;
        store.data_mut().growth.begin();
        Ok(New { store, instance, state })
    }

    /// Lets go of an instance that has served.
    pub(crate) fn let_go(&self, idle: &Arc<Idle>, store: Store<Guest>) {
        let warm = self.account.warm as usize;
        // No more than are made meanwhile, so that they do not add up. One more or less does not matter.
        if idle.warm.ending.load(Ordering::Relaxed) >= warm {
            return;
        }
        idle.warm.ending.fetch_add(1, Ordering::Relaxed);
        let idle = Arc::clone(idle);
        self.runtime.lane.spawn(async move {
            drop(store);
            idle.warm.ending.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Has so many instances wait as the configuration says, for as long as `idle` is there.
    pub(crate) fn keep_warm(self: &Arc<Self>, idle: &Arc<Idle>) {
        let wanted = self.account.warm as usize;
        if wanted == 0 {
            return;
        }
        let (plugin, changed) = (Arc::downgrade(self), Arc::clone(&idle.warm.changed));
        let idle = Arc::downgrade(idle);
        self.runtime.lane.spawn(async move {
            loop {
                let (Some(plugin), Some(idle)) = (plugin.upgrade(), idle.upgrade()) else { return };
                if idle.warm.ready() >= wanted || Place::are_scarce() {
                    drop((plugin, idle));
                    changed.notified().await;
                    continue;
                }
                let deadline = Duration::from_millis(plugin.limits().call_deadline_ms);
                // Whichever call it is for is not known yet, and does not matter to one that has asked for nothing.
                let occasion = plugin.occasion(None, CallNumber::Load(0));
                match timeout(deadline, plugin.make_instance(&idle, occasion)).await {
                    Ok(Ok(new)) if new.store.data().has_asked_nothing() => idle.warm.lock().push(new),
                    Ok(Ok(_)) => {
                        let (plugin, digest) = (plugin.name(), &*plugin.digest);
                        tracing::warn!(plugin, digest, "not kept warm: it asks the host something when it starts");
                        return;
                    }
                    Ok(Err(_)) | Err(_) => {
                        drop((plugin, idle));
                        sleep(PAUSE).await;
                    }
                }
            }
        });
    }
}
