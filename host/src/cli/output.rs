//! What commands print: tables, messages and outcomes as text.

pub(super) mod outcome;
pub(super) mod render;
pub(super) mod table;
