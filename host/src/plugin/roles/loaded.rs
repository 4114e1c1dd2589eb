//! A plugin: a component that has passed every stage of loading, and how its roles are called.

use super::sandbox::Sandbox;
use super::v0_1_0::{self, Adapter, Idle, ReplyPolicyInput, TransformInput};
use super::wasi_http::Handler;
use crate::plugin::call::{CallError, CallNumber, Message, Reply};
use crate::plugin::role::Role;
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::response::Outlet;
use bytes::Bytes;
use hyper::Request;
use std::sync::Arc;
use std::time::Duration;

/// A component that has passed every stage.
pub struct Plugin {
    /// The digest of the artifact that it was pulled as, if it comes from a registry.
    pub artifact: Option<Arc<str>>,
    /// The component's size.
    pub size_bytes: usize,
    /// What it serves.
    pub roles: Vec<Role>,
    /// The interfaces with functions that it imports.
    pub imports: Vec<String>,
    /// How many examples it was tried on.
    pub examples: usize,
    /// How long compiling took, or fetching what was compiled before.
    pub compile_time: Duration,
    pub(crate) adapter: Adapter,
    pub(crate) handler: Option<Handler>,
    pub(crate) sandbox: Arc<Sandbox>,
}

impl Plugin {
    /// SHA-256 of the component, in hexadecimal.
    pub fn digest(&self) -> &Arc<str> {
        &self.sandbox.digest
    }

    /// What its instances are when a call begins in them.
    pub fn isolation(&self) -> &Isolation {
        &self.sandbox.isolation
    }

    /// The version of the contract that it was built against; none if it is a handler and nothing else.
    pub fn contract(&self) -> Option<&'static str> {
        self.roles.iter().any(|role| *role != Role::HttpHandler).then_some(v0_1_0::VERSION)
    }

    /// One call of the role `transform`; `idle` are the instances of the generation that serves it. `held` is let go when the
    /// guest has ended, which after a deadline may be a tick later than the call.
    pub(crate) async fn transform(
        self: &Arc<Self>,
        message: Arc<TransformInput>,
        number: CallNumber,
        idle: Arc<Idle>,
        held: impl Send + 'static,
    ) -> Result<Option<Message>, CallError> {
        #[cfg(feature = "compiled-in")]
        if let Some(output) = super::compiled_in::transform(&self.sandbox.account.name, &message) {
            return output;
        }
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let _held = held;
            let occasion = plugin.sandbox.occasion(Some(Role::Transform), number);
            plugin.adapter.transform(&plugin.sandbox, &idle, &message, occasion).await
        });
        self.sandbox.bounded(call).await
    }

    /// One call of the role `reply-policy`, likewise.
    pub(crate) async fn replies(
        self: &Arc<Self>,
        request: Arc<ReplyPolicyInput>,
        number: CallNumber,
        idle: Arc<Idle>,
        held: impl Send + 'static,
    ) -> Result<Vec<Reply>, CallError> {
        #[cfg(feature = "compiled-in")]
        if let Some(output) = super::compiled_in::replies(&self.sandbox.account.name, &request) {
            return output;
        }
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let _held = held;
            let occasion = plugin.sandbox.occasion(Some(Role::ReplyPolicy), number);
            plugin.adapter.replies(&plugin.sandbox, &idle, &request, occasion).await
        });
        self.sandbox.bounded(call).await
    }

    /// One call of the role `http-handler`; its response goes to `outlet` as it is written.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        request: Request<Bytes>,
        number: CallNumber,
        idle: Arc<Idle>,
        outlet: Outlet,
        held: impl Send + 'static,
    ) -> Result<(), CallError> {
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let _held = held;
            let handler = plugin.handler.as_ref().ok_or(CallError::NoRole("http-handler"))?;
            let new = plugin
                .sandbox
                .new_instance(&idle.warm, plugin.sandbox.occasion(Some(Role::HttpHandler), number))
                .await?;
            handler.handle(&plugin.sandbox, &idle.warm, new, request, outlet).await
        });
        self.sandbox.bounded(call).await
    }

    /// Instantiates once, under the bounds of a call, to see that the component starts. Only an instance shows whether
    /// its functions are of the contract's types, which is the inner result.
    pub(crate) async fn probe(self: &Arc<Self>) -> Result<wasmtime::Result<()>, CallError> {
        let plugin = Arc::clone(self);
        let call = Box::pin(async move {
            let mut store = plugin.sandbox.store(plugin.sandbox.occasion(None, CallNumber::Load(0)), Arc::default())?;
            let started = plugin.sandbox.component.instantiate_async(&mut store).await;
            let instance = plugin.sandbox.unless_trapped(started, &store)?;
            if plugin.handler.is_some()
                && let Err(error) = Handler::check_function(&mut store, &instance)
            {
                return Ok(Err(error));
            }
            Ok(plugin.adapter.check_functions(&mut store, &instance))
        });
        self.sandbox.bounded(call).await
    }
}
