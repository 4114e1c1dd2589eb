//! The role `transform`: one message in, at most one out.

use super::role::{Export, Role, RoleCall};
use super::stage_role::StageRole;
use super::v0_1_0;
use crate::flow::{self, Failed, Failure, Fault, Output, Outputs};
use crate::ledger::Reason;
use crate::plugin::call::{CallError, Message};
use crate::plugin::role::RoleName;
use std::sync::Arc;
use std::time::Duration;

/// The role of messages that come in by HTTP.
pub enum Transform {}

impl Role for Transform {
    type In = Arc<Message>;
    /// None if the plugin filtered the message.
    type Out = Option<Message>;
    type Params = (Arc<Message>,);
    type Results = (Result<Option<Message>, v0_1_0::Error>,);

    const NAME: RoleName = RoleName("transform");
    const EXPORT: Export = v0_1_0::export("tidegate:plugin/transform", "transform");
    const IS_AWAITED: bool = true;

    async fn call(call: RoleCall<'_>, message: Arc<Message>) -> Result<Option<Message>, CallError> {
        v0_1_0::call::<Self>(call, message).await
    }

    #[cfg(feature = "compiled-in")]
    fn compiled_in(name: &str, message: &Arc<Message>) -> Option<Result<Option<Message>, CallError>> {
        super::compiled_in::transform(name, message)
    }
}

impl StageRole for Transform {
    type Input = Message;

    fn input(mut message: flow::Message) -> Result<Message, Box<Failed>> {
        let is_fit = match &message.frames[..] {
            [_] => true,
            [topic, _] => std::str::from_utf8(topic).is_ok(),
            _ => false,
        };
        if !is_fit {
            return Err(Box::new(Failed { failure: unfit(message.frames.len()), input: message }));
        }
        let metadata = std::mem::take(&mut message.metadata);
        let (topic, body) = message.into_topic_and_body().unwrap_or_default();
        let topic = String::from_utf8(topic.into()).unwrap_or_default();
        Ok(Message { topic, metadata, body: body.into() })
    }

    fn message(Message { topic, metadata, body }: Message) -> flow::Message {
        flow::Message::of_topic(topic, metadata, body)
    }

    fn request_id(input: &Message) -> &str {
        input.request_id()
    }

    fn outputs(returned: Option<Message>) -> Outputs {
        let output = |message| Output { after: Duration::ZERO, message: Self::message(message) };
        returned.into_iter().map(output).collect()
    }
}

fn unfit(frames: usize) -> Failure {
    let detail = format!("a transform takes a body, and a topic of UTF-8 before it or none; there are {frames} frames");
    Failure { reason: Reason::Rejected, fault: Fault::Sender, public_detail: detail.clone(), detail, retry_after: None }
}
