//! The check that a reset has left nothing: memories and globals hash to what they did when the instance was new.
//!
//! In debug builds it follows every reset, in others where the environment says so: it takes longer than a call.

use super::sandbox::Sandbox;
use crate::plugin::run::guest::Guest;
use crate::plugin::run::isolation::{Isolation, STATE};
use std::sync::OnceLock;
use wasmtime::Store;
use wasmtime::component::{Instance, TypedFunc};

/// The environment variable that switches the check on in any build.
const VERIFY: &str = "TIDEGATE_VERIFY_RESET";

/// The hash of an instance's state when it was new, and the function that computes it.
pub(crate) struct InitialState {
    hash: TypedFunc<(), (u64,)>,
    initial: u64,
}

impl InitialState {
    /// Hashes a new instance; none where it is not reset or not checked.
    ///
    /// # Errors
    /// When the function that hashes the state is missing or traps.
    pub(crate) async fn of(
        store: &mut Store<Guest>,
        instance: &Instance,
        sandbox: &Sandbox,
    ) -> wasmtime::Result<Option<Self>> {
        if !is_wanted() || sandbox.isolation != Isolation::Reset {
            return Ok(None);
        }
        let hash = instance.get_typed_func(&mut *store, STATE)?;
        let (initial,) = hash.call_async(store, ()).await?;
        Ok(Some(Self { hash, initial }))
    }

    /// Whether an instance that was reset is as it was. If it is not, the log says so, and a debug build panics.
    pub(crate) async fn is_unchanged(state: &mut Option<Self>, store: &mut Store<Guest>, sandbox: &Sandbox) -> bool {
        let Some(state) = state else { return true };
        // In a box, so that calls which are not checked have no room for it.
        let hashed = Box::pin(state.hash.call_async(store, ())).await;
        let is_unchanged = matches!(hashed, Ok((hash,)) if hash == state.initial);
        if !is_unchanged {
            let name = sandbox.name();
            tracing::error!(plugin = name, digest = %sandbox.digest, "an instance was reset and is not as it was; please report it");
            debug_assert!(false, "an instance of {name} was reset and is not as it was");
        }
        is_unchanged
    }
}

fn is_wanted() -> bool {
    static WANTED: OnceLock<bool> = OnceLock::new();
    *WANTED.get_or_init(|| {
        cfg!(any(debug_assertions, fuzzing)) || std::env::var_os(VERIFY).is_some_and(|value| value == "1")
    })
}
