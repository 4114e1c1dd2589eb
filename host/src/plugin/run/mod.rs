//! Running: the engine, the instances and what a guest may import, take and use while a call runs.

pub(crate) mod background_calls;
mod denied;
pub(crate) mod deterministic_random;
pub(crate) mod engine;
pub(crate) mod guest;
pub(crate) mod guest_log;
pub(crate) mod http_client;
pub(crate) mod instances;
pub(crate) mod isolation;
pub(crate) mod memory_limits;
pub(crate) mod meter;
mod place;
mod reset_check;
pub(crate) mod response;
pub(crate) mod warm;
