//! The plugins, as the operator changes them: loaded, rolled back, paused, unloaded.

mod shadow;

pub(super) use shadow::ShadowOf;

use super::{Admin, json};
use crate::flow::ServedBy;
use crate::http::problem::{Problem, RefusedComponent};
use crate::plugin::{Cause, LoadError, Loaded, NothingLoaded, Put, PutError, RollbackError, Slot, UnloadError};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use warp::reply::Response;

/// What serves after a swap, or after there was nothing to swap.
#[derive(Serialize)]
pub(super) struct Swap<'a> {
    pub(super) plugin: &'a str,
    pub(super) generation: u64,
    pub(super) digest: &'a str,
    pub(super) changed: bool,
    pub(super) persisted: bool,
}

impl Admin {
    /// Loads what was sent, to the end even if the caller goes away meanwhile.
    pub(super) async fn put(
        &self,
        name: String,
        bytes: Vec<u8>,
        put: Put,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response, Problem> {
        let slots = Arc::clone(&self.slots);
        let plugin = name.clone();
        let work = tokio::spawn(async move {
            let _permit = permit;
            slots.put(&name, bytes, put).await
        });
        match work.await.map_err(|_| Problem::Host)? {
            Ok(Loaded { served_by, changed, .. }) => swap(&served_by, changed, put.persist),
            Err(error) => Err(not_put(plugin, error)),
        }
    }

    /// Loads the source, to the end even if the caller goes away meanwhile.
    pub(super) async fn load(&self, slot: Arc<Slot>, cause: Cause) -> Result<Response, Problem> {
        let slots = Arc::clone(&self.slots);
        let plugin = slot.name().to_owned();
        let work = tokio::spawn(async move { slots.load(&slot, cause).await });
        match work.await.map_err(|_| Problem::Host)? {
            Ok(Some(Loaded { served_by, changed, .. })) => swap(&served_by, changed, true),
            // Only what nobody asked for is left alone.
            Ok(None) => Err(Problem::Host),
            Err(error) => Err(refused(plugin, &error)),
        }
    }

    pub(super) async fn unload(&self, name: String) -> Result<Response, Problem> {
        match self.slots.unload(&name).await {
            Ok(gone) => json(&gone),
            Err(UnloadError::Unknown) => Err(Problem::NoPlugin(name)),
            Err(error @ UnloadError::Policy) => Err(Problem::NotUnloaded(format!("{name} stays: {error}"))),
        }
    }
}

/// Goes back to the generation before, or to that which is wanted.
pub(super) async fn roll_back(slot: &Slot, wanted: Option<u64>, persist: bool) -> Result<Response, Problem> {
    let served_by = slot.rollback(wanted, persist).await.map_err(not_rolled_back)?;
    swap(&served_by, true, persist || slot.is_in_source(&served_by.digest))
}

/// Has a plugin take no calls until it is resumed.
pub(super) fn hold(slot: &Slot) -> Result<Response, Problem> {
    json(&slot.hold().map(|()| slot.status()).map_err(|error| not_held(slot, error))?)
}

pub(super) fn resume(slot: &Slot) -> Result<Response, Problem> {
    json(&slot.resume().map(|()| slot.status()).map_err(|error| not_held(slot, error))?)
}

pub(super) fn not_put(plugin: String, error: PutError) -> Problem {
    match error {
        PutError::Name(text) => Problem::Malformed(text),
        PutError::Load(error) => refused(plugin, &error),
        PutError::Persist(text) => Problem::NotPersisted(text),
    }
}

fn not_rolled_back(error: RollbackError) -> Problem {
    match error {
        RollbackError::NotPersisted(_) => Problem::NotPersisted(error.to_string()),
        _ => Problem::NotRolledBack(error.to_string()),
    }
}

fn not_held(slot: &Slot, error: NothingLoaded) -> Problem {
    Problem::NotHeld(format!("{} is neither paused nor resumed: {error}", slot.name()))
}

fn refused(plugin: String, error: &LoadError) -> Problem {
    match error {
        LoadError::Superseded => Problem::Superseded(format!("{plugin} is not loaded: {error}")),
        LoadError::Busy { .. } => Problem::TooBusy(format!("{plugin} is not loaded: {error}")),
        _ => Problem::Refused(RefusedComponent { plugin, stage: error.stage(), reason: error.to_string() }),
    }
}

/// `persisted`: whether the next start loads again what serves.
fn swap(served_by: &ServedBy, changed: bool, persisted: bool) -> Result<Response, Problem> {
    let ServedBy { plugin, generation, digest, .. } = served_by;
    json(&Swap { plugin, generation: *generation, digest, changed, persisted })
}
