//! A plugin: a component that has passed every stage of loading, and how its roles are called.

use super::instances::IdleInstances;
use super::role::{FunctionKind, Role, RoleCall};
use super::sandbox::Sandbox;
use super::stage_role::{Input, StageRole};
use crate::flow::Message;
use crate::plugin::call::{CallError, CallNumber};
use crate::plugin::role::{Contract, RoleName};
use crate::plugin::run::deterministic_random::{CallSeed, Draws, Seed};
use crate::plugin::run::guest::Guest;
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::plugin_state::PluginState;
use crate::plugin::run::runtime::Runtime;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance};
use wasmtime::error::Context;

/// A component that has passed every stage.
#[derive(Clone)]
pub struct Plugin {
    /// The digest of the artifact that it was pulled as, if it comes from a registry.
    pub artifact: Option<Arc<str>>,
    /// The component's size.
    pub size_bytes: usize,
    /// The interfaces with functions that it imports.
    pub imports: Vec<String>,
    /// How many examples it was tried on.
    pub examples: usize,
    /// How long compiling took, or fetching what was compiled before.
    pub compile_time: Duration,
    /// Whether it was compiled before.
    pub from_cache: bool,
    /// By which of its functions it serves each of its roles.
    pub(crate) functions: Vec<(&'static FunctionKind, ComponentExportIndex)>,
    pub(crate) sandbox: Arc<Sandbox>,
}

impl Plugin {
    /// The same compiled component under other bounds and settings.
    pub(crate) fn configured(&self, plugin_state: Arc<PluginState>) -> Self {
        self.configured_as(plugin_state, self.sandbox.isolation.clone())
    }

    /// The same component for calls that serve nobody, under the same bounds and settings: they have no network, write nothing
    /// to the log, each begins in the state of a new instance, and what they take counts and is bounded beside what serves.
    /// A plugin that serves nobody as it is is shared.
    pub(crate) fn for_rehearsal(&self) -> Self {
        if self.sandbox.plugin_state.is_offline() {
            return self.clone();
        }
        self.under(self.sandbox.plugin_state.for_rehearsal())
    }

    /// The same for calls of a newcomer beside what serves, whatever loaded it, and under other settings if there are any.
    pub(crate) fn as_newcomer(&self, settings: Option<BTreeMap<String, String>>) -> Self {
        let plugin_state = self.sandbox.plugin_state.for_rehearsal();
        self.under(match settings {
            Some(settings) => plugin_state.with_settings(settings),
            None => plugin_state,
        })
    }

    /// The same for calls that serve nobody, in this state.
    pub(crate) fn under(&self, plugin_state: PluginState) -> Self {
        let isolation = match &self.sandbox.isolation {
            Isolation::Reused(_) => Isolation::fresh("calls that are made again are not to depend on each other"),
            isolation => isolation.clone(),
        };
        self.configured_as(Arc::new(plugin_state), isolation)
    }

    fn configured_as(&self, plugin_state: Arc<PluginState>, isolation: Isolation) -> Self {
        let Sandbox { digest, component, runtime, .. } = &*self.sandbox;
        Self {
            sandbox: Arc::new(Sandbox {
                digest: Arc::clone(digest),
                isolation,
                component: component.clone(),
                plugin_state,
                runtime: runtime.clone(),
            }),
            ..self.clone()
        }
    }

    /// The same, with other randomness.
    pub fn seeded(&self, seed: Seed) -> Self {
        let Sandbox { digest, isolation, component, plugin_state, runtime } = &*self.sandbox;
        Self {
            sandbox: Arc::new(Sandbox {
                digest: Arc::clone(digest),
                isolation: isolation.clone(),
                component: component.clone(),
                plugin_state: Arc::clone(plugin_state),
                runtime: Runtime { seed, ..runtime.clone() },
            }),
            ..self.clone()
        }
    }

    /// The name under which it was loaded.
    pub fn name(&self) -> &str {
        self.sandbox.name()
    }

    /// SHA-256 of the component, in hexadecimal.
    pub fn digest(&self) -> &Arc<str> {
        &self.sandbox.digest
    }

    /// What its instances are when a call begins in them.
    pub fn isolation(&self) -> &Isolation {
        &self.sandbox.isolation
    }

    /// What it serves, as the version of the contract calls it that it was built against.
    pub fn roles(&self) -> impl Iterator<Item = RoleName> {
        self.functions.iter().map(|(kind, _)| kind.name)
    }

    /// Whether it serves this role.
    pub fn has_role(&self, role: RoleName) -> bool {
        self.function(role).is_some()
    }

    /// Whether it serves a role of messages.
    pub fn is_stage(&self) -> bool {
        self.has_role(RoleName::PROCESSOR) || self.has_role(RoleName::REPLY_POLICY)
    }

    fn function(&self, role: RoleName) -> Option<(&'static FunctionKind, &ComponentExportIndex)> {
        self.functions.iter().find(|(kind, _)| kind.role == role).map(|(kind, index)| (*kind, index))
    }

    /// A role that it serves and another plugin does not.
    pub(crate) fn role_lacked_by(&self, other: &Self) -> Option<RoleName> {
        self.functions.iter().find(|(kind, _)| !other.has_role(kind.role)).map(|(kind, _)| kind.name)
    }

    /// The version of the contract that it was built against, the newest of several; none if it has no role of the
    /// contract.
    pub fn contract(&self) -> Option<Contract> {
        self.functions.iter().filter_map(|(kind, _)| kind.contract()).max()
    }

    /// The version of the contract in which it serves a role.
    pub fn contract_of(&self, role: RoleName) -> Option<Contract> {
        self.function(role)?.0.contract()
    }

    /// What the version of the contract calls a role that it was built against; none if it does not serve it.
    pub fn name_of_role(&self, role: RoleName) -> Option<RoleName> {
        Some(self.function(role)?.0.name)
    }

    /// What a call of it takes for a message.
    pub fn input<R: StageRole>(&self, message: Message) -> R::In {
        Input::new(message, self.contract_of(R::NAME))
    }

    /// One call; `idle` are the instances of the generation that serves it. `held` is let go when the guest has ended,
    /// which after a deadline may be a tick later than the call.
    ///
    /// # Errors
    /// When the plugin lacks the role, or the call does not end well within its bounds.
    pub(crate) async fn call<R: Role>(
        self: &Arc<Self>,
        input: R::In,
        draws: impl Into<Draws>,
        idle: Arc<IdleInstances>,
        held: impl Send + 'static,
    ) -> Result<R::Out, CallError> {
        #[cfg(feature = "compiled-in")]
        if let Some(output) = R::compiled_in(self.sandbox.name(), &input) {
            return output;
        }
        let (plugin, draws) = (Arc::clone(self), draws.into());
        let call = Box::pin(async move {
            let _held = held;
            let (kind, function) = plugin.function(R::NAME).ok_or(CallError::NoRole(R::NAME))?;
            let call_seed = match draws {
                Draws::Own(number, buckets) => {
                    CallSeed { buckets, ..plugin.sandbox.call_seed(Some(kind.name), number) }
                }
                Draws::As(call_seed) => call_seed,
            };
            let contract = kind.contract();
            R::call(RoleCall { sandbox: &plugin.sandbox, idle: &idle, function, contract, call_seed }, input).await
        });
        self.sandbox.bounded(call).await
    }

    /// The host that a request was last sent to where there is no network for it: of an example, or of a component that
    /// no host has loaded.
    pub fn take_refused_request(&self) -> Option<String> {
        self.sandbox.plugin_state.take_refused_request()
    }

    /// Instantiates once, under the bounds of a call, to see that the component starts. Only an instance shows whether
    /// its functions are of the contract's types, which is the inner result.
    ///
    /// # Errors
    /// When the instance cannot be made within the bounds of a call.
    pub(crate) async fn probe(self: &Arc<Self>) -> Result<wasmtime::Result<()>, CallError> {
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let mut store =
                plugin.sandbox.store(plugin.sandbox.call_seed(None, CallNumber::Load(0)), Arc::default())?;
            let started = plugin.sandbox.component.instantiate_async(&mut store).await;
            let instance = plugin.sandbox.unless_trapped(started, &store)?;
            Ok(plugin.check_functions(&mut store, &instance))
        });
        self.sandbox.bounded(call).await
    }

    /// Holds the functions of an instance to the types of their roles.
    fn check_functions(&self, store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
        self.functions.iter().try_for_each(|(kind, function)| {
            (kind.check)(store, instance, function).with_context(|| format!("the function of the role {}", kind.name))
        })
    }
}
