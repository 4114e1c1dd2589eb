//! Version 0.1.0 of the contract: messages have a topic and a body, and a transform gives one for one.

use super::bounds::check_replies;
use super::{Error, call};
use crate::flow::{self, Metadata, Output, Outputs};
use crate::plugin::call::CallError;
use crate::plugin::role::{Contract, RoleName};
use crate::plugin::roles::role::{Export, Function, InterfaceVersion, RoleCall};
use crate::plugin::roles::stage_role::{Shape, Unfit};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{ComponentType, Lift, Lower};

/// One message on its way through a transform.
#[derive(Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Message {
    topic: String,
    metadata: Metadata,
    pub(in crate::plugin::roles) body: Bytes,
}

/// One request of a broker client.
#[derive(Clone, ComponentType, Lower)]
#[component(record)]
pub struct Request {
    identity: Bytes,
    metadata: Metadata,
    pub(in crate::plugin::roles) frames: Vec<Bytes>,
}

/// One reply to a request.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(in crate::plugin::roles) struct Reply {
    #[component(name = "delay-ms")]
    delay_ms: u32,
    frames: Vec<Bytes>,
}

/// `transform.transform`, which serves as a processor of one.
pub(in crate::plugin::roles) enum Transform {}

impl Function for Transform {
    type Params = (Arc<Message>,);
    type Results = (Result<Option<Message>, Error>,);

    const ROLE: RoleName = RoleName::PROCESSOR;
    const NAME: RoleName = RoleName::TRANSFORM;
    const EXPORT: Export = export("tidegate:plugin/transform", "transform");
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
    Export { interface, version: InterfaceVersion::Exactly(Contract::V0_1_0), function }
}

/// # Errors
/// When the call does not end well.
pub(in crate::plugin::roles) async fn transform(
    role_call: RoleCall<'_>,
    message: Arc<Message>,
) -> Result<Outputs, CallError> {
    let returned = call::<Transform, _, Option<Message>>(role_call, message).await?;
    let output = |message: Message| Output { after: Duration::ZERO, message: message.into_message() };
    Ok(returned.into_iter().map(output).collect())
}

/// # Errors
/// When the call does not end well, or a reply is over a bound.
pub(in crate::plugin::roles) async fn replies(
    role_call: RoleCall<'_>,
    request: Arc<Request>,
) -> Result<Outputs, CallError> {
    let limits = role_call.sandbox.limits();
    let replies = call::<Replies, _, Vec<Reply>>(role_call, request).await?;
    check_replies(replies.iter().map(|reply| (reply.delay_ms, reply.frames.len())), limits)?;
    let output = |Reply { delay_ms, frames }| {
        let message = flow::Message { frames: frames.into(), ..flow::Message::default() };
        Output { after: Duration::from_millis(u64::from(delay_ms)), message }
    };
    Ok(replies.into_iter().map(output).collect())
}

impl TryFrom<flow::Message> for Message {
    type Error = Unfit;

    /// Of a body, and a topic of UTF-8 before it or none.
    fn try_from(mut message: flow::Message) -> Result<Self, Unfit> {
        let is_fit = match &message.frames[..] {
            [_] => true,
            [topic, _] => std::str::from_utf8(topic).is_ok(),
            _ => false,
        };
        if !is_fit {
            let frames = message.frames.len();
            let refusal = format!(
                "a transform takes a body, and a topic of UTF-8 before it or none, which the {frames} frames are not"
            );
            return Err(Unfit { message, refusal });
        }
        let metadata = std::mem::take(&mut message.metadata);
        let (topic, body) = message.into_topic_and_body().unwrap_or_default();
        let topic = String::from_utf8(topic.into()).unwrap_or_default();
        Ok(Self { topic, metadata, body })
    }
}

impl Shape for Message {
    fn into_message(self) -> flow::Message {
        flow::Message::of_topic(self.topic, self.metadata, self.body)
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl TryFrom<flow::Message> for Request {
    type Error = Unfit;

    /// The first frame is the identity.
    fn try_from(message: flow::Message) -> Result<Self, Unfit> {
        let mut frames = message.frames.into_iter();
        let identity = frames.next().unwrap_or_default();
        Ok(Self { identity, metadata: message.metadata, frames: frames.collect() })
    }
}

impl Shape for Request {
    fn into_message(self) -> flow::Message {
        let frames = std::iter::once(self.identity).chain(self.frames).collect();
        flow::Message { metadata: self.metadata, frames, ..flow::Message::default() }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
