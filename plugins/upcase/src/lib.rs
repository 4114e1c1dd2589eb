//! Answers a text with its upper case.

pub mod logic;

#[cfg(target_arch = "wasm32")]
mod component;
