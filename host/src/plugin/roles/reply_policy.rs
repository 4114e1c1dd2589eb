//! The role `reply-policy`: one request of a broker client in, any number of replies out.

use super::role::{Export, Role, RoleCall};
use super::stage_role::StageRole;
use super::v0_1_0;
use crate::config::Limits;
use crate::flow::{Failed, Message, Output, Outputs};
use crate::plugin::call::{CallError, Reply, Request};
use crate::plugin::role::RoleName;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// The role of requests that come in at the broker.
pub enum ReplyPolicy {}

impl Role for ReplyPolicy {
    type In = Arc<Request>;
    type Out = Vec<Reply>;
    type Params = (Arc<Request>,);
    type Results = (Result<Vec<Reply>, v0_1_0::Error>,);

    const NAME: RoleName = RoleName("reply-policy");
    const EXPORT: Export = v0_1_0::export("tidegate:plugin/reply-policy", "replies");
    const IS_AWAITED: bool = false;

    async fn call(call: RoleCall<'_>, request: Arc<Request>) -> Result<Vec<Reply>, CallError> {
        let limits = call.sandbox.limits();
        let replies = v0_1_0::call::<Self>(call, request).await?;
        check_bounds(&replies, limits)?;
        Ok(replies)
    }

    #[cfg(feature = "compiled-in")]
    fn compiled_in(name: &str, request: &Arc<Request>) -> Option<Result<Vec<Reply>, CallError>> {
        super::compiled_in::replies(name, request)
    }
}

impl StageRole for ReplyPolicy {
    type Input = Request;

    fn input(message: Message) -> Result<Request, Box<Failed>> {
        let Message { metadata, frames, .. } = message;
        let mut frames = frames.into_iter().map(Vec::from);
        let identity = frames.next().unwrap_or_default();
        Ok(Request { identity, metadata, frames: frames.collect() })
    }

    fn message(Request { identity, metadata, frames }: Request) -> Message {
        let frames = std::iter::once(identity).chain(frames).map(Bytes::from).collect();
        Message { metadata, frames, ..Message::default() }
    }

    fn request_id(input: &Request) -> &str {
        input.request_id()
    }

    fn outputs(replies: Vec<Reply>) -> Outputs {
        let output = |Reply { delay_ms, frames }| {
            let frames = frames.into_iter().map(Bytes::from).collect();
            let message = Message { frames, ..Message::default() };
            Output { after: Duration::from_millis(u64::from(delay_ms)), message }
        };
        replies.into_iter().map(output).collect()
    }
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
