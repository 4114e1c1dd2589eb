//! Tidegate's promises, each tested on the real binary over real sockets: one file or folder per promise.

// A test is to panic where an unwrap fails.
#![allow(clippy::unwrap_used)]

mod balance;
mod client;
mod fixtures;
mod harness;
mod process;
mod processor;
mod raw_http;
mod raw_peer;

mod admin;
mod backbone;
mod bad_clients;
mod broker;
mod broker_control;
mod buckets;
mod call_file;
mod capture;
mod changes;
mod closed_pipes;
mod command_line;
mod compile;
mod components;
mod curve;
mod dead_letters;
mod delayed_replies;
#[cfg(target_os = "linux")]
mod descriptors;
mod develop;
mod diff;
mod docs;
#[cfg(target_os = "linux")]
mod endurance;
mod envelopes;
#[cfg(target_os = "linux")]
mod environment;
mod events;
#[cfg(target_os = "linux")]
mod every_address;
mod examples;
mod fleet;
mod flow_admin;
mod flow_configuration;
mod flow_test;
mod flows;
mod gate;
mod half_closed;
mod handshakes;
mod heads;
mod heartbeats;
#[cfg(target_os = "linux")]
mod held_up;
mod hostile;
mod hostile_peers;
mod http;
mod http_handler;
mod https;
mod in_flight;
mod ipc;
mod keygen;
mod ledger;
mod ledger_watch;
mod limits;
mod log;
mod metrics;
#[cfg(target_os = "linux")]
mod names;
mod new_plugins;
mod oci;
mod overload;
mod peer_queues;
mod publish;
mod reload;
mod replay;
mod requests;
mod reset;
#[cfg(target_os = "linux")]
mod retired;
mod rollback;
mod routes;
mod sandbox;
mod shadow;
mod ship;
mod shutdown;
mod slow_peers;
mod soak;
mod structure;
mod subscribe;
mod supervision;
mod swap;
mod tail;
mod terminal;
mod top;
mod traces;
mod trials;
mod unload;
mod unread_bodies;
mod warm;
mod websocket;
mod wiped;
mod without_time;
mod workers;
