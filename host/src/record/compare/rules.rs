//! Which parts of JSON do not count where answers are compared.

use crate::config::{JsonPath, Segment};

/// What is left out of account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Values that may be anything, or missing.
    pub ignored: Vec<JsonPath>,
    /// Arrays whose elements may stand in any order.
    pub unordered: Vec<JsonPath>,
}

impl Rules {
    pub(super) fn ignores(&self, way: &[Segment<'_>]) -> bool {
        self.ignored.iter().any(|path| path.matches(way))
    }

    pub(super) fn is_unordered(&self, way: &[Segment<'_>]) -> bool {
        self.unordered.iter().any(|path| path.matches(way))
    }
}
