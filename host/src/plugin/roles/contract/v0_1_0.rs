//! Version 0.1.0 of the contract: how the functions of its roles are called.
//!
//! A published version never changes, so this file serves the components built against it for ever; the next version
//! gets a file of its own. The values themselves are those of `plugin::call`, which a load holds a component's types
//! to.

use super::instances::Instance;
use super::role::{Export, InterfaceVersion, Role, RoleCall};
use super::warm::NewInstance;
use crate::plugin::call::CallError;
use wasmtime::component::{ComponentType, Lift, Lower, TypedFunc};

/// Why a plugin did not do what it was asked, as the contract has it.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub enum Error {
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

/// A function of an interface of this version.
pub(super) const fn export(interface: &'static str, function: &'static str) -> Export {
    Export { interface, version: InterfaceVersion::Exactly("0.1.0"), function }
}

/// One call: in an instance that was reset or is used again, or in a new one.
///
/// # Errors
/// When no instance can be made, the guest traps, or it returns an error.
pub(super) async fn call<R>(call: RoleCall<'_>, input: R::In) -> Result<R::Out, CallError>
where
    R: Role<Params = (<R as Role>::In,), Results = (Result<<R as Role>::Out, Error>,), In: Lower, Out: Lift>,
{
    let RoleCall { sandbox, idle, function, call_seed } = call;
    let mut instance: Box<Instance<TypedFunc<_, _>>> = match idle.take(R::NAME, &call_seed) {
        Some(instance) => instance,
        None => {
            // Boxed: otherwise the future of every call would be larger, and come from a slower part of the allocator.
            let NewInstance { mut store, instance, state } =
                Box::pin(sandbox.new_instance(&idle.warm, call_seed)).await?;
            let function = R::function(&mut store, &instance, function);
            let function = sandbox.unless_trapped(function, &store)?;
            Box::new(Instance::new(store, function, state))
        }
    };
    let Instance { store, function, .. } = &mut *instance;
    let returned = function.call_async(&mut *store, (input,)).await;
    let (output,) = sandbox.unless_trapped(returned, store)?;
    idle.give_back(R::NAME, instance, sandbox).await;
    Ok(output?)
}
