//! The comparison of what two components made of the same inputs: what differs, grouped, with the first examples of each
//! group.
//!
//! A [`Comparison`] takes one input with both outcomes at a time, in any order, and is merged with others: of the inputs
//! of one file, whoever compared which of them, the same comes out. What is equal byte for byte costs no more than that
//! look; JSON is read only where bytes differ.

mod comparison;
mod difference_bound;
mod differences;
mod excerpt;
mod group;
mod json;
mod outcome;
mod report;
mod rules;

pub use crate::config::{DifferenceBound, JsonPath, JsonPathError};
pub use comparison::{Comparison, Counts, Example, Grouped, outcome_words};
pub use group::{Group, Kind, Name};
pub use outcome::{Class, Outcome};
pub use report::{ReportedExample, ReportedGroup, ReportedInput, reported, reported_in_short};
pub use rules::Rules;
