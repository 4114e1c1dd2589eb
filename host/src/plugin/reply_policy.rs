//! The role `reply-policy`, as version 0.1.0 of the contract has it.

use super::call::{CallError, Reply, Request};
use super::guest::Guest;
use super::load::Plugin;
use crate::config::Limits;
use std::time::Duration;
use tokio::time::timeout;
use wasmtime::component::InstancePre;

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "package tidegate:host; world reply-policy-role { export tidegate:plugin/reply-policy@0.1.0; }",
    world: "tidegate:host/reply-policy-role",
    exports: { default: async },
});

use exports::tidegate::plugin::reply_policy as wit;

/// A component that is known to have the role, ready to be instantiated.
pub(super) type ReplyPolicy = ReplyPolicyRolePre<Guest>;

/// Whether the component's export has the contract's type.
pub(super) fn check(component: InstancePre<Guest>) -> wasmtime::Result<ReplyPolicy> {
    ReplyPolicyRolePre::new(component)
}

impl Plugin {
    /// One call of the role on a fresh instance.
    pub(super) async fn replies(&self, request: Request) -> Result<Vec<Reply>, CallError> {
        let role = self.reply_policy.as_ref().ok_or(CallError::NoRole("reply-policy"))?;
        let input = wit::Request { identity: request.identity, metadata: request.metadata, frames: request.frames };
        let mut store = self.store();
        let call = async {
            let instance = role.instantiate_async(&mut store).await?;
            instance.tidegate_plugin_reply_policy().call_replies(&mut store, &input).await
        };
        let ended = timeout(Duration::from_millis(self.limits.call_deadline_ms), call).await;
        let replies = self.unless_trapped(ended, &store)?.map_err(|error| match error {
            wit::Error::Rejected(text) => CallError::Rejected(text),
            wit::Error::Failed(text) => CallError::Failed(text),
        })?;
        let replies = replies
            .into_iter()
            .map(|reply| Reply { delay_ms: reply.delay_ms, frames: reply.frames })
            .collect::<Vec<_>>();
        check_bounds(&replies, &self.limits)?;
        Ok(replies)
    }
}

fn check_bounds(replies: &[Reply], limits: &Limits) -> Result<(), CallError> {
    let over = |text: String| Err(CallError::OverBounds(text));
    if replies.len() > limits.replies_max {
        return over(format!("{} replies are more than replies_max {}", replies.len(), limits.replies_max));
    }
    for (index, reply) in replies.iter().enumerate() {
        if reply.delay_ms > limits.delay_ms_max {
            let delay_ms = reply.delay_ms;
            return over(format!("reply {index} waits {delay_ms} ms, over delay_ms_max {}", limits.delay_ms_max));
        }
        if reply.frames.is_empty() {
            return over(format!("reply {index} has no frames"));
        }
    }
    Ok(())
}
