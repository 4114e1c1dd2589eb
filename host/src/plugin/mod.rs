//! Plugins: the only folder that names wasmtime.
//!
//! [`Engine`] compiles and runs components, [`Slot`] is the cell that holds the plugin of one name, [`Slots`] are all
//! of them, and [`Watch`] loads again what changed on disk. A plugin returns data; whoever calls it performs the effects.

mod call;
mod engine;
mod growth;
mod guest;
mod load;
mod reply_policy;
mod slot;
mod slots;
mod transform;
mod watch;

pub use call::{Answer, CallError, Message, Metadata, Reply, Request, Stamp};
pub use engine::{Engine, EngineError};
pub use load::{LoadError, Plugin, Role, digest};
pub use slot::{Loaded, Slot};
pub use slots::{Slots, Source, scan, source_of};
pub use watch::Watch;

/// The version of the contract that this host speaks.
pub const CONTRACT_VERSION: &str = "0.1.0";
