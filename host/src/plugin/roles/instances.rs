//! Instances of one generation: a new one per call, or one that has served the same role and was reset, or, where the
//! user opted in, one that still remembers what it served.

use super::reset_check::InitialState;
use super::sandbox::Sandbox;
use super::warm::WarmInstances;
use crate::plugin::role::RoleName;
use crate::plugin::run::deterministic_random::CallSeed;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::instance_permit::InstancePermit;
use crate::plugin::run::isolation::Isolation;
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use wasmtime::Store;

/// What the instances of one generation share, and those that wait for another call. They go with it: what a guest
/// remembers must not turn up again when the same code serves once more, as another generation.
#[derive(Default)]
pub(crate) struct IdleInstances {
    /// Each is an [`Instance`] with the function of its role.
    waiting: Mutex<Vec<(RoleName, Box<dyn Any + Send>)>>,
    /// New ones, for whichever role is called next.
    pub(crate) warm: Arc<WarmInstances>,
}

/// One instance: its store, and the typed function that it is called by.
pub(super) struct Instance<F> {
    pub(super) store: Store<Guest>,
    pub(super) function: F,
    served: u32,
    /// Where it is checked that nothing is left: what it was when it was new.
    state: Option<InitialState>,
}

impl<F> Instance<F> {
    pub(super) fn new(store: Store<Guest>, function: F, state: Option<InitialState>) -> Self {
        Self { store, function, served: 0, state }
    }
}

impl IdleInstances {
    /// One that has served the role before, if there is any.
    pub(super) fn take<F: 'static>(&self, role: RoleName, call_seed: &CallSeed) -> Option<Box<Instance<F>>> {
        let mut waiting = self.lock();
        let last = waiting.iter().rposition(|(served, _)| *served == role)?;
        let (_, instance) = waiting.swap_remove(last);
        drop(waiting);
        let mut instance = instance.downcast::<Instance<F>>().ok()?;
        Guest::again(&mut instance.store, call_seed.clone());
        Some(instance)
    }

    /// Keeps an instance whose call returned, if it may serve again and takes no place that others may need soon. One
    /// that trapped or was interrupted must not come here: its memory may hold anything.
    pub(super) async fn give_back<F: Send + 'static>(
        &self,
        role: RoleName,
        mut instance: Box<Instance<F>>,
        sandbox: &Sandbox,
    ) {
        instance.served = instance.served.saturating_add(1);
        let may_serve = !InstancePermit::are_scarce()
            && match sandbox.isolation {
                // The post-return of the guest's function has reset its memories and globals already.
                Isolation::Reset => instance.store.data_mut().reset() && self.count(role) < idle_max(),
                Isolation::Fresh(_) => false,
                Isolation::Reused(calls) => {
                    instance.store.data().end_lines();
                    instance.served < calls
                }
            };
        let Instance { store, state, .. } = &mut *instance;
        if may_serve && InitialState::is_unchanged(state, store, sandbox).await {
            self.lock().push((role, instance));
        } else {
            sandbox.let_go(&self.warm, instance.store);
        }
    }

    /// How many wait that have served the role.
    fn count(&self, role: RoleName) -> usize {
        self.lock().iter().filter(|(served, _)| *served == role).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(RoleName, Box<dyn Any + Send>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many instances wait that were reset. Short calls run one on each processor; the instances that a burst of long
/// calls has made cost more memory than they save the next burst.
fn idle_max() -> usize {
    static MAX: OnceLock<usize> = OnceLock::new();
    *MAX.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from) * 2)
}
