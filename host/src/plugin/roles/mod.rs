//! What a plugin can be called for: its roles, and the calls and instances behind them.

#[cfg(feature = "compiled-in")]
mod compiled_in;
pub(crate) mod contract;
pub(crate) mod http_handler;
pub(crate) mod instances;
pub(crate) mod loaded;
pub(crate) mod processor;
pub(crate) mod reply_policy;
mod reset_check;
pub(crate) mod role;
pub(crate) mod sandbox;
pub(crate) mod single_call;
pub(crate) mod stage_role;
mod warm;
pub(crate) mod whole_response;

use contract::{v0_1_0, v0_2_0};
use role::FunctionKind;

/// All functions that serve a role, in the order in which roles are listed, and of one role the newest first: that is
/// called of a component with several.
pub(crate) static FUNCTIONS: [FunctionKind; 5] = [
    FunctionKind::of::<v0_2_0::Process>(),
    FunctionKind::of::<v0_1_0::Transform>(),
    FunctionKind::of::<v0_2_0::Replies>(),
    FunctionKind::of::<v0_1_0::Replies>(),
    FunctionKind::of::<http_handler::Handle>(),
];
