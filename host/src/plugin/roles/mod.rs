//! What a plugin can be called for: the adapter of each contract, and the calls and instances behind it.

#[cfg(feature = "compiled-in")]
mod compiled_in;
mod instances;
pub(crate) mod loaded;
mod reset_check;
pub(crate) mod sandbox;
pub(crate) mod single_call;
pub(crate) mod v0_1_0;
mod warm;
pub(crate) mod wasi_http;
