//! The logic of downcase for wasi:http, with the stack and the allocator that Rust gives it.

#[path = "../handler.rs"]
mod handler;
#[path = "../../../../plugins/downcase/src/logic.rs"]
mod logic;
