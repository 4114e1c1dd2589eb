//! Logic that is compiled in, for the benches alone: the calls of a host whose processors and policies are no
//! components.
//!
//! A plugin of one of these names is loaded as ever and then never instantiated. All around the call stays what it is.

use super::contract::{v0_1_0, v0_2_0};
use super::stage_role::Input;
use crate::flow::{Frames, Message, Output, Outputs};
use crate::plugin::call::CallError;
use bytes::Bytes;
use smallvec::smallvec;
use std::time::Duration;

#[path = "../../../../plugins/downcase/src/logic.rs"]
mod downcase;
#[path = "../../../../plugins/echo/src/logic.rs"]
mod echo;

/// What the plugin of this name makes of a message; none if it is not compiled in.
pub(super) fn process(
    name: &str,
    input: &Input<v0_1_0::Message, v0_2_0::Message>,
) -> Option<Result<Outputs, CallError>> {
    let answered = |body: &[u8]| downcase::answer(body).map_err(CallError::Rejected).map(Bytes::from);
    let process = || {
        let frames = match input {
            Input::V0_1_0(message) => smallvec![answered(&message.body)?],
            Input::V0_2_0(message) => {
                let mut frames = Frames::from(&message.frames[..]);
                if let Some(body) = frames.last_mut() {
                    *body = answered(body)?;
                }
                frames
            }
        };
        Ok(smallvec![output(0, frames)])
    };
    (name == "downcase").then(process)
}

/// What the plugin of this name replies to a request; none if it is not compiled in.
pub(super) fn replies(
    name: &str,
    input: &Input<v0_1_0::Request, v0_2_0::Request>,
) -> Option<Result<Outputs, CallError>> {
    let replies = || {
        let frames = match input {
            Input::V0_1_0(request) => &request.frames,
            Input::V0_2_0(request) => &request.message.frames,
        };
        let (delay_ms, frames) = echo::reply(frames.iter().map(|frame| frame.to_vec()).collect());
        Ok(smallvec![output(delay_ms, frames.into_iter().map(Bytes::from).collect())])
    };
    (name == "echo").then(replies)
}

fn output(delay_ms: u32, frames: Frames) -> Output {
    let after = Duration::from_millis(u64::from(delay_ms));
    Output { after, message: Message { frames, ..Message::default() } }
}
