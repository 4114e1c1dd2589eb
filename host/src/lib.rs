//! Tidegate: a WebAssembly-plugin host between HTTP and ZeroMQ.
//!
//! ```text
//!                       ┌─────────────────────────── host ───────────────────────────┐
//!  (a) GET /NAME/ ────▶ │ http::public ──▶ plugin::Slot ──▶ transform (fresh instance)│
//!      200 + text ◀──── │      └──────────▶ messaging::Publisher (queue, one thread) ─┼──▶ PUB ──▶ subscribers (c)
//!                       │                                                            │
//!  (b) DEALER, REQ ───▶ │ ROUTER ─ broker loop ─ policy, here or elsewhere  ─▶ replies│
//!      replies    ◀──── │ ROUTER ◀─ schedule (due replies) ◀────────┘                 │
//!                       │                                                            │
//!  (d) file, admin ───▶ │ read · compile · type-check · probe · examples · gate ─▶ swap│
//!                       └────────────────────────────────────────────────────────────┘
//! ```
//!
//! Read on from `main.rs`: it parses ([`cli`]), builds ([`app`]) and runs. Imports point one way: `main → cli → app →
//! {http, messaging, backbone} → plugin`; [`buckets`], [`config`], [`flow`], [`ledger`], [`record`], [`merge_patch`],
//! [`request_id`], [`system`] and [`traces`] are leaves; `rehearsal` makes calls of what [`record`] has kept again, of [`plugin`];
//! [`oci`], which [`plugin`] alone and [`cli`] ask, needs but [`config`]; and [`clients`] are what [`cli`] alone runs.
//! `tests/structure.rs` holds that, within each folder too.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod app;
mod append;
pub mod backbone;
pub mod buckets;
mod byte_budget;
pub mod cli;
pub mod clients;
pub mod config;
pub mod flow;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod http;
pub mod ledger;
mod log_limit;
pub mod merge_patch;
pub mod messaging;
pub mod oci;
pub mod plugin;
pub mod record;
mod rehearsal;
pub mod request_id;
pub mod system;
pub mod traces;
