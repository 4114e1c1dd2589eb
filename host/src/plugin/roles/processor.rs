//! The role `processor`: one message in, any number of messages out. A `transform` of version 0.1.0 serves it as well.

use super::contract::{Contract, v0_1_0, v0_2_0};
use super::role::{Role, RoleCall};
use super::stage_role::{Input, StageRole};
use crate::config::Limits;
use crate::flow::Outputs;
use crate::plugin::call::CallError;
use crate::plugin::role::RoleName;

/// The role of messages, however they come in.
pub enum Processor {}

impl Role for Processor {
    type In = Input<v0_1_0::Message, v0_2_0::Message>;
    /// None at all if the plugin filtered the message.
    type Out = Outputs;

    const NAME: RoleName = RoleName("processor");
    const IS_AWAITED: bool = true;

    async fn call(call: RoleCall<'_>, input: Self::In) -> Result<Outputs, CallError> {
        match call.contract {
            Some(Contract::V0_1_0) => v0_1_0::transform(call, input.into_v0_1_0()?).await,
            _ => v0_2_0::process(call, input.into_v0_2_0()).await,
        }
    }

    #[cfg(feature = "compiled-in")]
    fn compiled_in(name: &str, input: &Self::In) -> Option<Result<Outputs, CallError>> {
        super::compiled_in::process(name, input)
    }
}

impl StageRole for Processor {
    type V0_1_0 = v0_1_0::Message;
    type V0_2_0 = v0_2_0::Message;
}

/// Holds returned messages to the bounds, by the number of frames of each.
///
/// # Errors
/// When there are too many, or one has no frames.
pub(super) fn check_bounds(frames: impl ExactSizeIterator<Item = usize>, limits: &Limits) -> Result<(), CallError> {
    if frames.len() > limits.messages_max {
        return Err(CallError::TooManyMessages { count: frames.len(), max: limits.messages_max });
    }
    match frames.enumerate().find(|(_, frames)| *frames == 0) {
        Some((index, _)) => Err(CallError::NoFrames { what: "message", index }),
        None => Ok(()),
    }
}
