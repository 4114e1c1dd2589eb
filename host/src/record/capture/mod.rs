//! Captures: what came in, and what plugins answered, written to MCAP files beside the traffic and read again.

mod file;
mod format;
pub mod reader;
pub mod record;
mod schema;

pub use file::{CaptureWriter, WriteError};
pub use format::{About, Channel, PlaceKind};
pub use reader::{CaptureError, CaptureFile, Captured, Choice, Lost, Records, Summary};

#[cfg(test)]
mod tests;
