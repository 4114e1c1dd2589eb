//! Instances of one generation and role: a fresh one per call, or, where the user opted in, one that has served before.

use super::guest::{Guest, Occasion};
use super::place::Place;
use std::sync::{Mutex, PoisonError};
use wasmtime::Store;

/// The instances that wait for another call; none by default.
pub(super) struct Instances<B> {
    idle: Mutex<Vec<Instance<B>>>,
}

/// One instance: its store, and the typed functions that it exports.
pub(super) struct Instance<B> {
    pub(super) store: Store<Guest>,
    pub(super) bindings: B,
    served: u32,
}

impl<B> Default for Instances<B> {
    fn default() -> Self {
        Self { idle: Mutex::default() }
    }
}

impl<B> Instance<B> {
    pub(super) fn fresh(store: Store<Guest>, bindings: B) -> Self {
        Self { store, bindings, served: 0 }
    }
}

impl<B> Instances<B> {
    /// One that has served before, if there is any.
    pub(super) fn take(&self, occasion: &Occasion) -> Option<Instance<B>> {
        let mut instance = self.lock().pop()?;
        Guest::again(&mut instance.store, occasion.clone());
        Some(instance)
    }

    /// Keeps an instance whose call returned, if it may serve again and takes no place that others may need soon. One that
    /// trapped or was interrupted must not come here: its memory may hold anything.
    pub(super) fn give_back(&self, mut instance: Instance<B>) {
        instance.served += 1;
        let guest = instance.store.data();
        guest.end_lines();
        if instance.served < guest.account.reuse && !Place::are_scarce() {
            self.lock().push(instance);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance<B>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
