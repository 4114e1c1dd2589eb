//! Warm instances: new ones that are made while nothing else runs and wait for their first call, for guests that take
//! long to start; and the end of those that served, off the path of the calls as well.

use super::reset_check::InitialState;
use super::sandbox::Sandbox;
use crate::plugin::call::{CallError, CallNumber};
use crate::plugin::run::deterministic_random::CallSeed;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::guest::memory_limits::HighWater;
use crate::plugin::run::instance_permit::InstancePermit;
use crate::system::fail_point::is_to_fail;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use wasmtime::Store;
use wasmtime::component::Instance;

/// How long to wait before the next try after an instance could not be made.
const PAUSE: Duration = Duration::from_secs(1);

/// A new instance, of whatever roles its component has.
pub(crate) struct NewInstance {
    pub(crate) store: Store<Guest>,
    pub(crate) instance: Instance,
    pub(crate) state: Option<InitialState>,
}

/// Those of one generation that wait, and what all its instances share.
#[derive(Default)]
pub(crate) struct WarmInstances {
    ready: Mutex<Vec<NewInstance>>,
    /// Instances that have served and are not gone yet.
    ending: AtomicUsize,
    changed: Arc<Notify>,
    /// The most memory that any instance took since the generation began.
    pub(crate) memory: Arc<HighWater>,
}

impl WarmInstances {
    /// How many wait.
    pub(crate) fn ready(&self) -> usize {
        self.lock().len()
    }

    fn take(&self, call_seed: &CallSeed) -> Option<NewInstance> {
        let mut new = self.lock().pop()?;
        self.changed.notify_one();
        Guest::again(&mut new.store, call_seed.clone());
        Some(new)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<NewInstance>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WarmInstances {
    /// The generation is retired, and whoever makes them has to learn of it.
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

impl Sandbox {
    /// A new instance for a call: one that waits for it, or one that is made now.
    ///
    /// # Errors
    /// When the instance cannot be made, or the guest traps as it starts.
    pub(crate) async fn new_instance(
        &self,
        warm: &WarmInstances,
        call_seed: CallSeed,
    ) -> Result<NewInstance, CallError> {
        if self.plugin_state.warm > 0
            && let Some(new) = warm.take(&call_seed)
        {
            return Ok(new);
        }
        self.make_instance(warm, call_seed).await
    }

    async fn make_instance(&self, warm: &WarmInstances, call_seed: CallSeed) -> Result<NewInstance, CallError> {
        let mut store = self.store(call_seed, Arc::clone(&warm.memory))?;
        let made = async {
            let instance = self.component.instantiate_async(&mut store).await?;
            let state = InitialState::of(&mut store, &instance, self).await?;
            Ok((instance, state))
        };
        let made = made.await;
        let (instance, state) = self.unless_trapped(made, &store)?;
        store.data_mut().memory_limits.begin();
        Ok(NewInstance { store, instance, state })
    }

    /// Lets go of an instance that has served.
    pub(crate) fn let_go(&self, warm: &Arc<WarmInstances>, store: Store<Guest>) {
        // No more than are made meanwhile, so that they do not add up. One more or less does not matter.
        if warm.ending.load(Ordering::Relaxed) >= self.plugin_state.warm as usize {
            return;
        }
        warm.ending.fetch_add(1, Ordering::Relaxed);
        let warm = Arc::clone(warm);
        self.runtime.background_calls.spawn(async move {
            drop(store);
            warm.ending.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Has so many instances wait as the configuration says, for as long as `warm` is there.
    pub(crate) fn keep_warm(self: &Arc<Self>, warm: &Arc<WarmInstances>) {
        let wanted = self.plugin_state.warm as usize;
        if wanted == 0 {
            return;
        }
        let (sandbox, changed) = (Arc::downgrade(self), Arc::clone(&warm.changed));
        let warm = Arc::downgrade(warm);
        let part = format!("warm-{}", self.name());
        let name = part.clone();
        let keeping = async move {
            loop {
                if is_to_fail(&name) {
                    return Err("a test has asked for it".to_owned());
                }
                let (Some(sandbox), Some(warm)) = (sandbox.upgrade(), warm.upgrade()) else { return Ok(()) };
                if warm.ready() >= wanted || InstancePermit::are_scarce() {
                    drop((sandbox, warm));
                    changed.notified().await;
                    continue;
                }
                let deadline = Duration::from_millis(sandbox.limits().call_deadline_ms);
                // Whichever call it is for is not known yet, and does not matter to one that has asked for nothing.
                let call_seed = sandbox.call_seed(None, CallNumber::Load(0));
                match timeout(deadline, sandbox.make_instance(&warm, call_seed)).await {
                    Ok(Ok(new)) if new.store.data().has_asked_nothing() => warm.lock().push(new),
                    Ok(Ok(_)) => {
                        let (plugin, digest) = (sandbox.name(), &*sandbox.digest);
                        tracing::warn!(plugin, digest, "not kept warm: it asks the host something when it starts");
                        return Ok(());
                    }
                    Ok(Err(_)) | Err(_) => {
                        drop((sandbox, warm));
                        sleep(PAUSE).await;
                    }
                }
            }
        };
        self.runtime.background_calls.spawn(self.runtime.supervisor.watched(&part, keeping));
    }
}
