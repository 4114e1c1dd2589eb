//! What commands print: tables, messages and outcomes as text, and word of work that takes long.

pub(super) mod outcome;
pub(super) mod progress;
pub(super) mod render;
pub(super) mod table;
