//! What a plugin can be called for: its roles, and the calls and instances behind them.

#[cfg(feature = "compiled-in")]
mod compiled_in;
pub(crate) mod http_handler;
pub(crate) mod instances;
pub(crate) mod loaded;
pub(crate) mod reply_policy;
mod reset_check;
pub(crate) mod role;
pub(crate) mod sandbox;
pub(crate) mod single_call;
pub(crate) mod stage_role;
pub(crate) mod transform;
pub(crate) mod v0_1_0;
mod warm;
pub(crate) mod whole_response;

use http_handler::HttpHandler;
use reply_policy::ReplyPolicy;
use role::RoleKind;
use transform::Transform;

/// All roles that there are, in the order in which they are listed.
pub(crate) static ROLES: [RoleKind; 3] =
    [RoleKind::of::<Transform>(), RoleKind::of::<ReplyPolicy>(), RoleKind::of::<HttpHandler>()];
