//! Tidegate's promises, each tried on the real binary over real sockets. One file per promise.

// What is unwrapped here is a promise too.
#![allow(clippy::unwrap_used)]

mod client;
mod fixtures;
mod harness;

mod broker;
mod command_line;
mod components;
mod http;
mod limits;
mod publish;
mod shutdown;
mod structure;
mod subscribe;
mod swap;
