//! Captures: what came in, and what plugins answered, written to MCAP files beside the traffic and read again.

mod asked;
pub mod buckets;
mod captures;
mod convert;
mod file;
mod files;
mod format;
pub mod reader;
pub mod record;
mod running;
mod schema;
mod writing;

pub use super::choice::{Choice, PlaceKind};
pub use asked::{Asked, REDACTED};
pub use captures::{Captures, StartCaptureError};
pub use file::{CaptureWriter, WriteError};
pub use format::{About, Channel};
pub use reader::{CaptureError, CaptureFile, Captured, Lost, Records, Summary};
pub use running::{CaptureState, CaptureStatus};

#[cfg(test)]
mod tests;
