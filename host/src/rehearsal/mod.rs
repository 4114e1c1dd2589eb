//! Rehearsals: calls of captured traffic that are made again, of components that serve nobody, and what they come to.

mod callers;
mod capture;
mod captured_call;
mod chain;
mod gate;
mod runner;
mod selection;
pub(crate) mod shadow;
mod source;

pub(crate) use callers::{Callers, Ended, Pair};
pub(crate) use captured_call::{CallSource, CapturedCall, CapturedRole, Entry, Skip};
pub(crate) use gate::TrafficGate;
pub(crate) use runner::{Compared, Cost, Progress, compare};
pub(crate) use selection::{Reading, read};
pub(crate) use source::open;
