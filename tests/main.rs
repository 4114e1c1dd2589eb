//! Tidegate's promises, each tried on the real binary over real sockets. One file per promise.

// What is unwrapped here is a promise too.
#![allow(clippy::unwrap_used)]

mod client;
mod fixtures;
mod harness;
mod process;

mod admin;
mod bad_clients;
mod broker;
mod command_line;
mod compile;
mod components;
mod examples;
mod hostile;
mod http;
mod https;
mod limits;
mod overload;
mod publish;
mod requests;
mod rollback;
mod sandbox;
mod shutdown;
mod soak;
mod structure;
mod subscribe;
mod swap;
