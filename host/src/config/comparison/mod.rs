//! How answers are compared: what of them does not count, and how many may differ.

mod bounds;
mod difference_bound;
mod json_path;

pub use bounds::*;
pub use difference_bound::DifferenceBound;
pub use json_path::{JsonPath, JsonPathError};
pub(crate) use json_path::{Segment, collapsed};
