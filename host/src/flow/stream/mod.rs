//! A flow of a stream: messages come in by inlets, go through stages in their order, and leave by sinks.
//!
//! [`FlowCore`](core::FlowCore) decides, and does no I/O: what is called when, in which order messages leave, what
//! becomes of one that a stage fails at. [`FlowRunner`](runner::FlowRunner) is the task around it, which takes messages
//! from the inlets, polls the calls and waits for room.

mod busy;
mod control;
mod core;
mod item;
mod lanes;
mod parts;
mod runner;
#[cfg(test)]
mod simulation;
mod surface;
#[cfg(test)]
mod tests;

pub use parts::{Executor, FlowParts, FlowSettings, FlowStage};
pub use surface::FlowSurface;
