//! Answers a text with its lower case.

pub mod logic;

#[cfg(target_arch = "wasm32")]
mod component;
