//! Plugins: the only folder that names wasmtime.
//!
//! [`Engine`] compiles and runs components, [`Slot`] is the cell that holds the plugin of one name, [`Slots`] are all
//! of them, [`Watch`] loads again what changed on disk, and [`poll`] what a registry's tag has moved to. A plugin
//! returns data; whoever calls it performs the effects.
//!
//! A load goes from `load::origin` (a file, or a registry and `oci_cache`) through `load` (read, compile in `compiler`
//! or from `cache`, `type_check`, probe, `examples`, `gate`); a call through `slot`, then `roles::sandbox` and
//! `run::background_calls` (where long ones go on), then the adapter of its contract version (`roles::contract`), or of
//! the standard that it was written for (`roles::http_handler`, with `run::guest::http_client` for what it sends). Each
//! of these folders asks only those before it: `run`, `roles`, `load`, `slot`, `watch`.

mod call;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
pub(crate) mod handler_fields;
mod handler_request;
mod load;
mod role;
mod roles;
mod run;
pub(crate) mod slot;
pub(crate) mod watch;

pub use call::{Answer, CallError, CallNumber};
pub use handler_request::{HandlerRequest, WrittenRequest};
pub use load::cache::Cache;
pub use load::candidate::{Candidate, StillWanted};
pub use load::compiler::child::{Flags as CompilerFlags, run as run_compiler};
pub use load::compiler::{SUBCOMMAND as COMPILER_SUBCOMMAND, own_program};
pub use load::engine::{Engine, Setup};
pub(crate) use load::examples::difference;
pub(crate) use load::examples::written_example;
pub use load::examples::{Content, Examples, Outcome, SECTION as EXAMPLES_SECTION, no_network};
pub use load::file::{component_names, custom_section, custom_sections, write_at_once, write_with_mode};
pub use load::gate::Gate;
#[cfg(fuzzing)]
pub(crate) use load::reset::fuzzing as reset_fuzzing;
pub use load::sources::{Source, scan, source_of};
pub use load::{LoadError, digest, hex};
pub use role::{Contract, RoleName};
pub use roles::http_handler::HttpHandler;
pub use roles::loaded::Plugin;
pub use roles::processor::Processor;
pub use roles::reply_policy::ReplyPolicy;
pub use roles::role::Role;
pub use roles::single_call::{Rehearsal, SingleCall};
pub use roles::stage_role::StageRole;
pub use roles::whole_response::WholeResponse;
pub use run::call_durations::{CallDurations, DurationCounts};
pub use run::call_log::{CallLog, KeptLog, LogLine};
pub(crate) use run::deterministic_random::CallSeed;
pub use run::deterministic_random::Seed;
pub use run::guest::http_client::LOG_FILTER;
pub use run::isolation::Isolation;
pub use run::response::{BrokenOff, Pieces, ResponseBody};
pub use run::runtime::EngineError;
pub use slot::condemned::{Condemnation, CondemnedBy};
pub use slot::history::{HappenedBy, Happening, RefusedGeneration, RollbackError, RolledBack, TimelineEntry};
pub use slot::slots::{AddExamplesError, Slots, UnloadError, UnloadReport};
pub use slot::status::{Previous, SlotState, SlotStatus};
pub use slot::{Cause, Loaded, NamedStage, NothingLoaded, PluginStage, Put, PutError, Slot};
pub use watch::Watch;
pub use watch::poll::poll;
