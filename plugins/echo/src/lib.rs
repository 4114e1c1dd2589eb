//! Answers a request with one copy of it, at once.

pub mod logic;

#[cfg(target_arch = "wasm32")]
mod component;
