//! Plugins: the only folder that names wasmtime.
//!
//! [`Engine`] compiles and runs components, [`Slot`] is the cell that holds the plugin of one name, [`Slots`] are all
//! of them, [`Watch`] loads again what changed on disk, and [`poll`] what moved in a registry. A plugin returns data;
//! whoever calls it performs the effects.
//!
//! A load goes from `origin` (a file, or a registry and `copies`) through `load` (read, compile in `compiler` or from
//! `cache`, `type_check`, probe, `examples`); a call through `slot`, then `lane` (short and long calls), then the adapter
//! of its contract version (`v0_1_0`), or of the standard that it was written for (`wasi_http`, with `outbound` for what
//! it sends).

mod account;
mod blocking;
mod cache;
mod call;
mod chance;
#[cfg(feature = "compiled-in")]
mod compiled_in;
mod compiler;
mod copies;
mod denied;
mod engine;
mod examples;
mod file;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod growth;
mod guest;
mod guest_log;
mod health;
mod history;
mod instances;
mod isolation;
mod lane;
mod load;
mod loaded;
mod lost;
mod meter;
mod origin;
mod outbound;
mod patience;
mod place;
mod poll;
mod reset;
mod reset_check;
mod response;
mod single_call;
mod slot;
mod slots;
mod sources;
mod status;
mod turn;
mod type_check;
mod v0_1_0;
mod warm;
mod wasi_http;
mod watch;

pub use cache::Cache;
pub use call::{Answer, CallError, CallNumber, Message, Metadata, Reply, Request, Stamp};
pub use chance::Seed;
pub use compiler::{Flags as CompilerFlags, SUBCOMMAND as COMPILER_SUBCOMMAND, own_program, run as run_compiler};
pub use engine::{Engine, EngineError, Setup};
pub use examples::{Examples, Outcome, SECTION as EXAMPLES_SECTION};
pub use file::{component_names, custom_section, custom_sections, write_at_once};
pub use history::{NothingToGoBackTo, Refused};
pub use isolation::Isolation;
pub use load::{LoadError, Role, digest, hex};
pub use loaded::Plugin;
pub use lost::lost;
pub use outbound::LOG_FILTER;
pub use poll::poll;
#[cfg(fuzzing)]
pub(crate) use reset::fuzzing as reset_fuzzing;
pub use response::{BrokenOff, Pieces, ResponseBody};
pub use single_call::SingleCall;
pub use slot::{Cause, Loaded, PutError, Slot};
pub use slots::{Gone, Slots, UnloadError};
pub use sources::{Source, scan, source_of};
pub use status::{Previous, State, Status};
pub use watch::{Fingerprint, Watch};
