//! Logic that is compiled in, for the benches alone: the calls of a host whose transforms and policies are no
//! components.
//!
//! A plugin of one of these names is loaded as ever and then never instantiated. All around the call stays what it is.

use crate::plugin::call::{CallError, Message, Reply, Request};

#[path = "../../../../plugins/downcase/src/logic.rs"]
mod downcase;
#[path = "../../../../plugins/echo/src/logic.rs"]
mod echo;

/// What the plugin of this name makes of a message; none if it is not compiled in.
pub(super) fn transform(name: &str, message: &Message) -> Option<Result<Option<Message>, CallError>> {
    (name == "downcase").then(|| {
        let body = downcase::answer(&message.body).map_err(CallError::Rejected)?;
        Ok(Some(Message { body, ..Message::default() }))
    })
}

/// What the plugin of this name replies to a request; none if it is not compiled in.
pub(super) fn replies(name: &str, request: &Request) -> Option<Result<Vec<Reply>, CallError>> {
    (name == "echo").then(|| {
        let (delay_ms, frames) = echo::reply(request.frames.clone());
        Ok(vec![Reply { delay_ms, frames }])
    })
}
