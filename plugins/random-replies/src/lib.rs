//! Answers a request with none to four copies of it, each after a random wait.

pub mod logic;

#[cfg(target_arch = "wasm32")]
mod component;
