//! What becomes of a message that a flow fails at.

mod lost;

pub use lost::{Lost, LostMessages};
