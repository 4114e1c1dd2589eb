//! Instances that are reset in place: what a component is given so that its instance begins each call in the state of a new
//! one, and the proof that it can.
//!
//! A new instance differs from one that has served in its memories, its mutable globals, its tables, its segments and
//! what the host holds for it. For a component in which no instruction changes a table or drops a segment
//! ([`ResetObstacle`] is the list of what is looked for), memories and globals are all there is, and both are written
//! again from what the component itself says of them: each core module gets a function that does that for its own
//! ([`functions`]), and each function that the component lifts gets a post-return that calls all of them, after the
//! guest's own ([`writer`]). A start function runs again as well, if it does nothing but compute ([`start`]). What the
//! host holds is made anew by the host.
//!
//! The component gets one more export, [`STATE`](crate::plugin::run::isolation::STATE), a hash over all that is reset, so that it can be seen that nothing was left.

mod component;
mod functions;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod glue;
mod module;
mod obstacle;
mod sections;
mod start;
mod writer;

pub(crate) use obstacle::ResetObstacle;

use component::Component;
use wasmparser::{Validator, WasmFeatures};

/// All that decides on what a component is given, beside the component.
pub(super) const SOURCES: [&str; 9] = [
    include_str!("mod.rs"),
    include_str!("component.rs"),
    include_str!("functions.rs"),
    include_str!("glue.rs"),
    include_str!("module.rs"),
    include_str!("obstacle.rs"),
    include_str!("sections.rs"),
    include_str!("start.rs"),
    include_str!("writer.rs"),
];

/// The most that all memories of a component may begin with. Up to here it costs less to write them anew than to make an
/// instance (on two virtual processors, a request of `downcase` with 1 MiB: 58 against 76 µs of processor time, with 2 MiB 67
/// against 86); beyond, the system gives back the pages of a new one faster (with 3 MiB 87 against 77).
pub(super) const MEMORY_BYTES_MAX: u64 = 2 << 20;

/// What a component may be made of: all whose state is known to be that of memories, globals and tables.
const FEATURES: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The component with what resets its instances after each call.
///
/// # Errors
/// Why an instance of it cannot be reset.
pub(super) fn resettable(binary: &[u8]) -> Result<Vec<u8>, ResetObstacle> {
    // Cheap and most often the answer: functions are looked at only where everything around them is as it should be.
    let component = Component::read(binary)?;
    let types = Validator::new_with_features(FEATURES).validate_all(binary).map_err(ResetObstacle::Feature)?;
    for module in &component.modules {
        module.check_functions()?;
    }
    start::check(&component)?;
    writer::instrumented(&component, types.as_ref())
}

#[cfg(test)]
mod tests;
