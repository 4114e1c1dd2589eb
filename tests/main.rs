//! Tidegate's promises, each tried on the real binary over real sockets. One file per promise.

// What is unwrapped here is a promise too.
#![allow(clippy::unwrap_used)]

mod client;
mod fixtures;
mod harness;
mod process;

mod admin;
mod broker;
mod command_line;
mod compile;
mod components;
mod curve;
mod examples;
mod hostile;
mod http;
mod keygen;
mod limits;
mod publish;
mod rollback;
mod sandbox;
mod shutdown;
mod soak;
mod structure;
mod subscribe;
mod swap;
