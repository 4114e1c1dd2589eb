//! Version 0.2.0 of the contract: messages have frames, and a processor gives any number of them for one.

use super::bounds::{check_messages, check_replies};
use super::{Error, call};
use crate::flow::{self, Metadata, Output, Outputs};
use crate::plugin::call::CallError;
use crate::plugin::role::{Contract, RoleName};
use crate::plugin::roles::role::{Export, Function, InterfaceVersion, RoleCall};
use crate::plugin::roles::stage_role::Shape;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{ComponentType, Lift, Lower};

/// One message.
#[derive(Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Message {
    metadata: Metadata,
    pub(in crate::plugin::roles) frames: Vec<Bytes>,
}

/// One request of a broker client.
#[derive(Clone, ComponentType, Lower)]
#[component(record)]
pub struct Request {
    identity: Bytes,
    pub(in crate::plugin::roles) message: Message,
}

/// One reply to a request.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(in crate::plugin::roles) struct Reply {
    #[component(name = "delay-ms")]
    delay_ms: u32,
    message: Message,
}

/// `processor.process`.
pub(in crate::plugin::roles) enum Process {}

impl Function for Process {
    type Params = (Arc<Message>,);
    type Results = (Result<Vec<Message>, Error>,);

    const ROLE: RoleName = RoleName::PROCESSOR;
    const NAME: RoleName = RoleName::PROCESSOR;
    const EXPORT: Export = export("tidegate:plugin/processor", "process");
}

/// `reply-policy.replies`.
pub(in crate::plugin::roles) enum Replies {}

impl Function for Replies {
    type Params = (Arc<Request>,);
    type Results = (Result<Vec<Reply>, Error>,);

    const ROLE: RoleName = RoleName::REPLY_POLICY;
    const NAME: RoleName = RoleName::REPLY_POLICY;
    const EXPORT: Export = export("tidegate:plugin/reply-policy", "replies");
}

const fn export(interface: &'static str, function: &'static str) -> Export {
    Export { interface, version: InterfaceVersion::Exactly(Contract::V0_2_0), function }
}

/// # Errors
/// When the call does not end well, or a message is over a bound.
pub(in crate::plugin::roles) async fn process(
    role_call: RoleCall<'_>,
    message: Arc<Message>,
) -> Result<Outputs, CallError> {
    let limits = role_call.sandbox.limits();
    let messages = call::<Process, _, Vec<Message>>(role_call, message).await?;
    check_messages(messages.iter().map(|message| message.frames.len()), limits)?;
    let output = |message: Message| Output { after: Duration::ZERO, message: message.into_message() };
    Ok(messages.into_iter().map(output).collect())
}

/// # Errors
/// When the call does not end well, or a reply is over a bound.
pub(in crate::plugin::roles) async fn replies(
    role_call: RoleCall<'_>,
    request: Arc<Request>,
) -> Result<Outputs, CallError> {
    let limits = role_call.sandbox.limits();
    let replies = call::<Replies, _, Vec<Reply>>(role_call, request).await?;
    check_replies(replies.iter().map(|reply| (reply.delay_ms, reply.message.frames.len())), limits)?;
    let output = |Reply { delay_ms, message }| Output {
        after: Duration::from_millis(u64::from(delay_ms)),
        message: message.into_message(),
    };
    Ok(replies.into_iter().map(output).collect())
}

impl From<flow::Message> for Message {
    fn from(message: flow::Message) -> Self {
        Self { metadata: message.metadata, frames: message.frames.into_vec() }
    }
}

impl Shape for Message {
    fn into_message(self) -> flow::Message {
        flow::Message { metadata: self.metadata, frames: self.frames.into(), ..flow::Message::default() }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl From<flow::Message> for Request {
    /// The first frame is the identity.
    fn from(message: flow::Message) -> Self {
        let mut frames = message.frames.into_iter();
        let identity = frames.next().unwrap_or_default();
        Self { identity, message: Message { metadata: message.metadata, frames: frames.collect() } }
    }
}

impl Shape for Request {
    fn into_message(self) -> flow::Message {
        let Message { metadata, frames } = self.message;
        let frames = std::iter::once(self.identity).chain(frames).collect();
        flow::Message { metadata, frames, ..flow::Message::default() }
    }

    fn metadata(&self) -> &Metadata {
        &self.message.metadata
    }
}
