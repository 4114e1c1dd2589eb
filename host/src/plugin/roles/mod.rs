//! What a plugin can be called for: the contract of each role, and the calls themselves.

pub(crate) mod call;
#[cfg(feature = "compiled-in")]
mod compiled_in;
pub(crate) mod loaded;
pub(crate) mod single_call;
pub(crate) mod v0_1_0;
pub(crate) mod wasi_http;
