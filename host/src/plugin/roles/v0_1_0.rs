//! Version 0.1.0 of the contract: the adapter between its types and the host's.
//!
//! A published version never changes, so this file serves the components built against it for ever; the next version
//! gets a file of its own.

use super::instances::{Instance, Instances};
use super::sandbox::Sandbox;
use super::warm::{New, Warm};
use crate::config::Limits;
use crate::plugin::call::{CallError, Message, Reply, Request};
use crate::plugin::role::Role as RoleName;
use crate::plugin::run::deterministic_random::Occasion;
use crate::plugin::run::guest::Guest;
use std::sync::Arc;
use wasmtime::Store;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};
use wasmtime::error::Context;

mod transform_role {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "package tidegate:host; world transform-role { export tidegate:plugin/transform@0.1.0; }",
        world: "tidegate:host/transform-role",
        exports: { default: async },
    });
}

mod reply_policy_role {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "package tidegate:host; world reply-policy-role { export tidegate:plugin/reply-policy@0.1.0; }",
        world: "tidegate:host/reply-policy-role",
        exports: { default: async },
    });
}

use reply_policy_role::exports::tidegate::plugin::reply_policy as wit_policy;
use reply_policy_role::{ReplyPolicyRole, ReplyPolicyRoleIndices};
use transform_role::exports::tidegate::plugin::transform as wit_transform;
use transform_role::{TransformRole, TransformRoleIndices};

/// What goes into a call, in this version's types. A call shares it with whoever makes the call, who gets it back where
/// there is no answer: after a deadline the call itself may live for a tick longer.
pub(crate) type TransformInput = wit_transform::Message;
/// The same for the other role.
pub(crate) type ReplyPolicyInput = wit_policy::Request;

/// The version that this file speaks.
pub(crate) const VERSION: &str = "0.1.0";

/// A component that is known to export the roles that it has in this version's types.
pub(crate) struct Adapter {
    transform: Option<TransformRoleIndices>,
    reply_policy: Option<ReplyPolicyRoleIndices>,
}

/// What the instances of one generation share, and those that wait for another call. They go with it: what a guest
/// remembers must not turn up again when the same code serves once more, as another generation.
#[derive(Default)]
pub(crate) struct Idle {
    transform: Instances<TransformRole>,
    reply_policy: Instances<ReplyPolicyRole>,
    /// New ones, for whichever role is called next.
    pub(crate) warm: Arc<Warm>,
}

impl Adapter {
    /// Holds the component's exports for `roles` to the contract's types.
    pub(crate) fn new(component: &InstancePre<Guest>, roles: &[RoleName]) -> wasmtime::Result<Self> {
        let mut adapter = Self { transform: None, reply_policy: None };
        if roles.contains(&RoleName::Transform) {
            adapter.transform = Some(TransformRoleIndices::new(component)?);
        }
        if roles.contains(&RoleName::ReplyPolicy) {
            adapter.reply_policy = Some(ReplyPolicyRoleIndices::new(component)?);
        }
        Ok(adapter)
    }

    /// Holds the functions of an instance to the contract's types.
    pub(super) fn check_functions(
        &self,
        store: &mut Store<Guest>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<()> {
        if self.transform.is_some() {
            TransformRole::new(&mut *store, instance).context("the function of the role transform")?;
        }
        if self.reply_policy.is_some() {
            ReplyPolicyRole::new(store, instance).context("the function of the role reply-policy")?;
        }
        Ok(())
    }

    /// One call of the role `transform`.
    pub(super) async fn transform(
        &self,
        sandbox: &Sandbox,
        idle: &Idle,
        input: &TransformInput,
        occasion: Occasion,
    ) -> Result<Option<Message>, CallError> {
        let role = self.transform.as_ref().ok_or(CallError::NoRole("transform"))?;
        let mut instance = instance(role, &idle.transform, &idle.warm, sandbox, occasion).await?;
        let Instance { store, bindings, .. } = &mut instance;
        let returned = bindings.tidegate_plugin_transform().call_transform(&mut *store, input).await;
        let output = sandbox.unless_trapped(returned, store)?;
        idle.transform.give_back(instance, sandbox, &idle.warm).await;
        let output = output.map_err(|error| match error {
            wit_transform::Error::Rejected(text) => CallError::Rejected(text),
            wit_transform::Error::Failed(text) => CallError::Failed(text),
        })?;
        Ok(output.map(Message::from))
    }

    /// One call of the role `reply-policy`.
    pub(super) async fn replies(
        &self,
        sandbox: &Sandbox,
        idle: &Idle,
        input: &ReplyPolicyInput,
        occasion: Occasion,
    ) -> Result<Vec<Reply>, CallError> {
        let role = self.reply_policy.as_ref().ok_or(CallError::NoRole("reply-policy"))?;
        let mut instance = instance(role, &idle.reply_policy, &idle.warm, sandbox, occasion).await?;
        let Instance { store, bindings, .. } = &mut instance;
        let returned = bindings.tidegate_plugin_reply_policy().call_replies(&mut *store, input).await;
        let output = sandbox.unless_trapped(returned, store)?;
        idle.reply_policy.give_back(instance, sandbox, &idle.warm).await;
        let replies = output.map_err(|error| match error {
            wit_policy::Error::Rejected(text) => CallError::Rejected(text),
            wit_policy::Error::Failed(text) => CallError::Failed(text),
        })?;
        let replies: Vec<_> =
            replies.into_iter().map(|reply| Reply { delay_ms: reply.delay_ms, frames: reply.frames }).collect();
        check_bounds(&replies, sandbox.limits())?;
        Ok(replies)
    }
}

impl From<Message> for TransformInput {
    fn from(message: Message) -> Self {
        Self { topic: message.topic, metadata: message.metadata, body: message.body }
    }
}

impl From<TransformInput> for Message {
    fn from(message: TransformInput) -> Self {
        Self { topic: message.topic, metadata: message.metadata, body: message.body }
    }
}

impl From<Request> for ReplyPolicyInput {
    fn from(request: Request) -> Self {
        Self { identity: request.identity, metadata: request.metadata, frames: request.frames }
    }
}

impl From<ReplyPolicyInput> for Request {
    fn from(request: ReplyPolicyInput) -> Self {
        Self { identity: request.identity, metadata: request.metadata, frames: request.frames }
    }
}

/// What both roles have in common: where their functions are in an instance of the component.
trait Role {
    type Bindings;

    fn bindings(&self, store: &mut Store<Guest>, instance: &ComponentInstance) -> wasmtime::Result<Self::Bindings>;
}

impl Role for TransformRoleIndices {
    type Bindings = TransformRole;

    fn bindings(&self, store: &mut Store<Guest>, instance: &ComponentInstance) -> wasmtime::Result<TransformRole> {
        self.load(store, instance)
    }
}

impl Role for ReplyPolicyRoleIndices {
    type Bindings = ReplyPolicyRole;

    fn bindings(&self, store: &mut Store<Guest>, instance: &ComponentInstance) -> wasmtime::Result<ReplyPolicyRole> {
        self.load(store, instance)
    }
}

/// An instance for one call: one that was reset or is used again, or a new one.
async fn instance<R: Role>(
    role: &R,
    instances: &Instances<R::Bindings>,
    warm: &Warm,
    sandbox: &Sandbox,
    occasion: Occasion,
) -> Result<Instance<R::Bindings>, CallError> {
    if let Some(instance) = instances.take(&occasion) {
        return Ok(instance);
    }
    // In a box of its own: every call would have room for it, and take that from a slower part of the allocator.
    let New { mut store, instance, state } = Box::pin(sandbox.new_instance(warm, occasion)).await?;
    let bindings = role.bindings(&mut store, &instance);
    let bindings = sandbox.unless_trapped(bindings, &store)?;
    Ok(Instance::new(store, bindings, state))
}

fn check_bounds(replies: &[Reply], limits: &Limits) -> Result<(), CallError> {
    if replies.len() > limits.replies_max {
        return Err(CallError::TooManyReplies { count: replies.len(), max: limits.replies_max });
    }
    for (index, reply) in replies.iter().enumerate() {
        if reply.delay_ms > limits.delay_ms_max {
            return Err(CallError::DelayTooLong { index, delay_ms: reply.delay_ms, max: limits.delay_ms_max });
        }
        if reply.frames.is_empty() {
            return Err(CallError::NoFrames(index));
        }
    }
    Ok(())
}
