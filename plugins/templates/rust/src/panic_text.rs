//! Panics with their text: on this target a panic is a bare trap, and what it says would be lost.

use crate::wasi::logging::logging::{Level, log};

/// Has the host's log tell what a panic says, and where. The host puts it above the trap in each error of the call.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| log(Level::Critical, "panic", &panic.to_string())));
}
