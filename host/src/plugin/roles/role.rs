//! A role: how a component exports it, what a call of it takes and returns, and how the call is made.

use super::instances::IdleInstances;
use super::sandbox::Sandbox;
use crate::plugin::call::CallError;
use crate::plugin::role::RoleName;
use crate::plugin::run::deterministic_random::CallSeed;
use crate::plugin::run::guest::Guest;
use std::fmt;
use std::future::Future;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc};

/// What a plugin can be called for. A new role is a file beside this one and its line in [`super::ROLES`].
pub trait Role: 'static {
    /// What a call takes. It is gone with the call: whoever wants it back shares it.
    type In: Send + 'static;
    /// What comes out of a call.
    type Out: Send + 'static;
    /// What the function takes, and what it returns.
    type Params: ComponentNamedList + Lower + 'static;
    #[allow(missing_docs)]
    type Results: ComponentNamedList + Lift + 'static;

    /// Its name in the contract.
    const NAME: RoleName;
    /// The function that a component exports for it.
    const EXPORT: Export;
    /// Whether somebody waits for each call on a connection, and gives it up by going away.
    const IS_AWAITED: bool;

    /// The function in an instance.
    ///
    /// # Errors
    /// If its types are others than the role's.
    fn function(
        store: &mut Store<Guest>,
        instance: &Instance,
        index: &ComponentExportIndex,
    ) -> wasmtime::Result<TypedFunc<Self::Params, Self::Results>> {
        instance.get_typed_func(store, index)
    }

    /// Makes one call.
    fn call(call: RoleCall<'_>, input: Self::In) -> impl Future<Output = Result<Self::Out, CallError>> + Send;

    /// What the logic that is compiled in under a plugin's name makes of an input; none if there is no such logic.
    #[cfg(feature = "compiled-in")]
    fn compiled_in(_name: &str, _input: &Self::In) -> Option<Result<Self::Out, CallError>> {
        None
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
    Exactly(&'static str),
    /// All that begin so, of a standard: they are compatible.
    Any(&'static str),
}

impl InterfaceVersion {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Exactly(version) | Self::Any(version) => version,
        }
    }

    pub(crate) fn includes(&self, version: &str) -> bool {
        match self {
            Self::Exactly(only) => version == *only,
            Self::Any(line) => version.strip_prefix(line).is_some_and(|rest| rest.starts_with('.')),
        }
    }
}

/// What a call runs in: the sandbox of its component, the instances of its generation, and where the function is.
pub struct RoleCall<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) idle: &'a IdleInstances,
    pub(super) function: &'a ComponentExportIndex,
    pub(super) call_seed: CallSeed,
}

/// A role as a load sees it.
pub(crate) struct RoleKind {
    pub(crate) name: RoleName,
    pub(crate) export: Export,
    /// Holds the function of an instance to the types of the role.
    pub(super) check: fn(&mut Store<Guest>, &Instance, &ComponentExportIndex) -> wasmtime::Result<()>,
}

impl RoleKind {
    pub(super) const fn of<R: Role>() -> Self {
        Self {
            name: R::NAME,
            export: R::EXPORT,
            check: |store, instance, index| R::function(store, instance, index).map(drop),
        }
    }
}
