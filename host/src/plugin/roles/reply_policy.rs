//! The role `reply-policy`: one request of a broker client in, any number of replies out.

use super::contract::{v0_1_0, v0_2_0};
use super::role::{Role, RoleCall};
use super::stage_role::{Input, StageRole};
use crate::flow::Outputs;
use crate::plugin::call::CallError;
use crate::plugin::role::{Contract, RoleName};

/// The role of requests that come in at the broker. The first frame of such a message is the identity of its sender.
pub enum ReplyPolicy {}

impl Role for ReplyPolicy {
    type In = Input<v0_1_0::Request, v0_2_0::Request>;
    type Out = Outputs;

    const NAME: RoleName = RoleName::REPLY_POLICY;
    const IS_AWAITED: bool = false;

    async fn call(call: RoleCall<'_>, input: Self::In) -> Result<Outputs, CallError> {
        match call.contract {
            Some(Contract::V0_1_0) => v0_1_0::replies(call, input.into_v0_1_0()?).await,
            _ => v0_2_0::replies(call, input.into_v0_2_0()).await,
        }
    }

    #[cfg(feature = "compiled-in")]
    fn compiled_in(name: &str, input: &Self::In) -> Option<Result<Outputs, CallError>> {
        super::compiled_in::replies(name, input)
    }
}

impl StageRole for ReplyPolicy {
    type V0_1_0 = v0_1_0::Request;
    type V0_2_0 = v0_2_0::Request;
}
