//! A role: what a call of it takes and returns, how the call is made, and by which functions of a component.

use super::instances::IdleInstances;
use super::sandbox::Sandbox;
use crate::plugin::call::CallError;
use crate::plugin::role::{Contract, RoleName};
use crate::plugin::run::deterministic_random::CallSeed;
use crate::plugin::run::guest::Guest;
use std::fmt;
use std::future::Future;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc};

/// What a plugin can be called for. A new role is a file beside this one, and a line in [`super::FUNCTIONS`] for each
/// function that serves it.
pub trait Role: 'static {
    /// What a call takes. It is gone with the call: whoever wants it back shares it.
    type In: Send + 'static;
    /// What comes out of a call.
    type Out: Send + 'static;

    /// Its name, whichever function serves it.
    const NAME: RoleName;
    /// Whether somebody waits for each call on a connection, and gives it up by going away.
    const IS_AWAITED: bool;

    /// Makes one call.
    fn call(call: RoleCall<'_>, input: Self::In) -> impl Future<Output = Result<Self::Out, CallError>> + Send;

    /// What the logic that is compiled in under a plugin's name makes of an input; none if there is no such logic.
    #[cfg(feature = "compiled-in")]
    fn compiled_in(_name: &str, _input: &Self::In) -> Option<Result<Self::Out, CallError>> {
        None
    }
}

/// A function of a component that serves a role: of one version of the contract, or of a standard.
pub(super) trait Function: 'static {
    /// What the function takes, and what it returns.
    type Params: ComponentNamedList + Lower + 'static;
    type Results: ComponentNamedList + Lift + 'static;

    /// The role that it serves.
    const ROLE: RoleName;
    /// What its own version calls that role. It is what people are shown, and what the random numbers of a call derive
    /// from, so it stays as it was when the host learns of a later version.
    const NAME: RoleName;
    /// How a component exports it.
    const EXPORT: Export;

    /// The function in an instance.
    ///
    /// # Errors
    /// If its types are others than these.
    fn in_instance(
        store: &mut Store<Guest>,
        instance: &Instance,
        index: &ComponentExportIndex,
    ) -> wasmtime::Result<TypedFunc<Self::Params, Self::Results>> {
        instance.get_typed_func(store, index)
    }
}

/// A function that a component exports: the interface, its version, and the function's name in it.
pub struct Export {
    pub(crate) interface: &'static str,
    pub(crate) version: InterfaceVersion,
    pub(crate) function: &'static str,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.interface, self.version.as_str())
    }
}

/// Which versions of an interface the host speaks.
pub enum InterfaceVersion {
    /// One, of the contract: each has an adapter of its own.
    Exactly(Contract),
    /// All that begin so, of a standard: they are compatible.
    Any(&'static str),
}

impl InterfaceVersion {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Exactly(contract) => contract.as_str(),
            Self::Any(line) => line,
        }
    }

    pub(crate) fn includes(&self, version: &str) -> bool {
        match self {
            Self::Exactly(contract) => version == contract.as_str(),
            Self::Any(line) => version.strip_prefix(line).is_some_and(|rest| rest.starts_with('.')),
        }
    }
}

/// What a call runs in: the sandbox of its component, the instances of its generation, and where the function is.
pub struct RoleCall<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) idle: &'a IdleInstances,
    pub(super) function: &'a ComponentExportIndex,
    /// The version of the contract that the function is of, if it is of one.
    pub(super) contract: Option<Contract>,
    pub(super) call_seed: CallSeed,
}

/// A function that serves a role, as a load sees it.
pub(crate) struct FunctionKind {
    pub(crate) role: RoleName,
    pub(crate) name: RoleName,
    pub(crate) export: Export,
    /// Holds the function of an instance to its types.
    pub(super) check: fn(&mut Store<Guest>, &Instance, &ComponentExportIndex) -> wasmtime::Result<()>,
}

impl FunctionKind {
    pub(super) const fn of<F: Function>() -> Self {
        Self {
            role: F::ROLE,
            name: F::NAME,
            export: F::EXPORT,
            check: |store, instance, index| F::in_instance(store, instance, index).map(drop),
        }
    }

    /// The version of the contract that it is of, if it is of one.
    pub(crate) fn contract(&self) -> Option<Contract> {
        match self.export.version {
            InterfaceVersion::Exactly(contract) => Some(contract),
            InterfaceVersion::Any(_) => None,
        }
    }
}
