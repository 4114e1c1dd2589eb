//! Running: the runtime, what a guest may import and take, and how long its call may use the processor.

pub(crate) mod background_calls;
pub(crate) mod call_durations;
pub(crate) mod call_log;
mod cpu_share;
pub(crate) mod deterministic_random;
pub(crate) mod guest;
pub(crate) mod instance_permit;
pub(crate) mod isolation;
pub(crate) mod meter;
pub(crate) mod plugin_state;
pub(crate) mod response;
pub(crate) mod runtime;
