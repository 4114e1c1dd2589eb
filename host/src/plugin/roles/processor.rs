//! The role `processor`: one message in, any number of messages out. A `transform` of version 0.1.0 serves it as well.

use super::contract::{v0_1_0, v0_2_0};
use super::role::{Role, RoleCall};
use super::stage_role::{Input, StageRole};
use crate::flow::Outputs;
use crate::plugin::call::CallError;
use crate::plugin::role::{Contract, RoleName};

/// The role of messages, however they come in.
pub enum Processor {}

impl Role for Processor {
    type In = Input<v0_1_0::Message, v0_2_0::Message>;
    /// None at all if the plugin filtered the message.
    type Out = Outputs;

    const NAME: RoleName = RoleName::PROCESSOR;
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
