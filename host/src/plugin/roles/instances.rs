//! Instances of one generation and role: a new one per call, or one that has served and was reset, or, where the user opted
//! in, one that still remembers what it served.

use super::reset_check::State;
use super::sandbox::Sandbox;
use super::warm::Warm;
use crate::plugin::run::deterministic_random::Occasion;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::place::Place;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use wasmtime::Store;

/// The instances that wait for another call.
pub(crate) struct Instances<B> {
    idle: Mutex<Vec<Instance<B>>>,
}

/// One instance: its store, and the typed functions that it exports.
pub(crate) struct Instance<B> {
    pub(crate) store: Store<Guest>,
    pub(crate) bindings: B,
    served: u32,
    /// Where it is checked that nothing is left: what it was when it was new.
    state: Option<State>,
}

impl<B> Default for Instances<B> {
    fn default() -> Self {
        Self { idle: Mutex::default() }
    }
}

impl<B> Instance<B> {
    pub(crate) fn new(store: Store<Guest>, bindings: B, state: Option<State>) -> Self {
        Self { store, bindings, served: 0, state }
    }
}

impl<B> Instances<B> {
    /// One that has served before, if there is any.
    pub(crate) fn take(&self, occasion: &Occasion) -> Option<Instance<B>> {
        let mut instance = self.lock().pop()?;
        Guest::again(&mut instance.store, occasion.clone());
        Some(instance)
    }

    /// Keeps an instance whose call returned, if it may serve again and takes no place that others may need soon. One that
    /// trapped or was interrupted must not come here: its memory may hold anything.
    pub(crate) async fn give_back(&self, mut instance: Instance<B>, sandbox: &Sandbox, warm: &Arc<Warm>) {
        instance.served = instance.served.saturating_add(1);
        let may_serve = !Place::are_scarce()
            && match sandbox.isolation {
                // Its memories and globals are as they were: the guest's own function has ended with that.
                Isolation::Reset => instance.store.data_mut().reset() && self.lock().len() < idle_max(),
                Isolation::Fresh(_) => false,
                Isolation::Reused(calls) => {
                    instance.store.data().end_lines();
                    instance.served < calls
                }
            };
        if may_serve && State::is_unchanged(&mut instance.state, &mut instance.store, sandbox).await {
            self.lock().push(instance);
        } else {
            sandbox.let_go(warm, instance.store);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Instance<B>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many instances wait that were reset. Calls that are short run one on each processor; what a burst of long ones has
/// made is worth less to the next burst than its memory.
fn idle_max() -> usize {
    static MAX: OnceLock<usize> = OnceLock::new();
    *MAX.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from) * 2)
}
