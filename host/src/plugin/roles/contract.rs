//! The contract: which versions of it the host speaks, and how a function of any of them is called.
//!
//! Each version has a file of its own below, with the types of its functions and what the host makes of them. A
//! published version never changes, so that file serves the components built against it for ever.

mod bounds;
pub(super) mod v0_1_0;
pub(super) mod v0_2_0;

use super::instances::Instance;
use super::role::{Function, RoleCall};
use super::warm::NewInstance;
use crate::plugin::call::CallError;
use wasmtime::component::{ComponentType, Lift, Lower, TypedFunc};

/// Why a plugin did not do what it was asked, which is the same in all versions.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Error {
    #[component(name = "rejected")]
    Rejected(String),
    #[component(name = "failed")]
    Failed(String),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(text) => Self::Rejected(text),
            Error::Failed(text) => Self::Failed(text),
        }
    }
}

/// One call: in an instance that was reset or is used again, or in a new one.
///
/// # Errors
/// When no instance can be made, the guest traps, or it returns an error.
async fn call<F, I, O>(call: RoleCall<'_>, input: I) -> Result<O, CallError>
where
    F: Function<Params = (I,), Results = (Result<O, Error>,)>,
    I: Lower + Send + Sync + 'static,
    O: Lift + Send + Sync + 'static,
{
    let RoleCall { sandbox, idle, function, call_seed, .. } = call;
    let mut instance: Box<Instance<TypedFunc<_, _>>> = match idle.take(F::NAME, &call_seed) {
        Some(instance) => instance,
        None => {
            // Boxed: otherwise the future of every call would be larger, and come from a slower part of the allocator.
            let NewInstance { mut store, instance, state } =
                Box::pin(sandbox.new_instance(&idle.warm, call_seed)).await?;
            let function = F::in_instance(&mut store, &instance, function);
            let function = sandbox.unless_trapped(function, &store)?;
            Box::new(Instance::new(store, function, state))
        }
    };
    let Instance { store, function, .. } = &mut *instance;
    let returned = function.call_async(&mut *store, (input,)).await;
    let (output,) = sandbox.unless_trapped(returned, store)?;
    idle.give_back(F::NAME, instance, sandbox).await;
    Ok(output?)
}
