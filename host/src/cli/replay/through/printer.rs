//! Prints what comes out of a flow as `capture cat` does, in parts.

use crate::cli::traffic::shown;
use crate::record::traffic::Entry;
use crate::system::output::{try_print, unless_unread};
use std::io::ErrorKind;

/// What is printed at a time.
const PART_BYTES: usize = 64 << 10;

/// Writes to stdout.
pub(in crate::cli::replay) struct Printer {
    is_json: bool,
    /// Whether each is wanted at its time.
    is_paced: bool,
    text: String,
    /// Whoever has read enough is spared the rest.
    is_unread: bool,
}

impl Printer {
    /// In lines of JSON, or for people.
    pub(in crate::cli::replay) fn new(is_json: bool, is_paced: bool) -> Self {
        Self { is_json, is_paced, text: String::new(), is_unread: false }
    }

    /// # Errors
    /// When stdout does not take it.
    pub(super) fn print(&mut self, entry: &Entry) -> Result<(), String> {
        if self.is_unread {
            return Ok(());
        }
        self.text += &shown::entry(entry, self.is_json).map_err(|error| error.to_string())?;
        if self.is_paced || self.text.len() >= PART_BYTES { self.flush() } else { Ok(()) }
    }

    /// # Errors
    /// When stdout does not take it.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        let written = try_print(std::mem::take(&mut self.text));
        self.is_unread = written.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        unless_unread(written).map_err(|error| error.to_string())
    }
}
