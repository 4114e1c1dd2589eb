//! The logic of downcase for wasi:http, on the stack and the allocator of the plugins: its memory never grows.

#[cfg(target_arch = "wasm32")]
use arena as _;

#[path = "../handler.rs"]
mod handler;
#[path = "../../../../plugins/downcase/src/logic.rs"]
mod logic;
