//! What is in a file of captured traffic, one after another, whichever kind of file it is.

use super::entry::Entry;
use super::kind::{TrafficError, TrafficKind};
use crate::record::capture::{CaptureError, CaptureFile, Lost};
use crate::record::choice::Choice;
use crate::record::dead_letters::{Letter, letters_until};
use crate::system::output::note;
use std::io;
use std::path::Path;

/// How many lines that cannot be read are told of one by one.
const BROKEN_TOLD_MAX: u64 = 10;

/// Why a file cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is none of captured traffic.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// A capture.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Dead letters.
    #[error(transparent)]
    Letters(#[from] io::Error),
}

/// Hands on what is chosen of a file, in its order, until `found` says that it is enough; none for what cannot be read, but for
/// what was cut off at the end of a capture. Returns what of a capture could not be read.
///
/// # Errors
/// When the file cannot be read, or is none of captured traffic.
pub fn each_entry(
    file: &Path,
    choice: &Choice,
    mut found: impl FnMut(Option<Entry>) -> bool,
) -> Result<Lost, ReadError> {
    match TrafficKind::of(file)? {
        TrafficKind::DeadLetters => {
            each_letter_until(file, |_, letter| match letter.map(Entry::from) {
                Some(entry) => !entry.captured.is_chosen_by(choice) || found(Some(entry)),
                None => found(None),
            })?;
            Ok(Lost::default())
        }
        TrafficKind::Capture => {
            let mut records = CaptureFile::open(file)?.records(choice.clone());
            while let Some(captured) = records.next() {
                if !found(Some(captured?.into())) {
                    return Ok(records.lost());
                }
            }
            let lost = records.lost();
            for _ in 0..lost.chunks.saturating_add(lost.records) {
                if !found(None) {
                    break;
                }
            }
            Ok(lost)
        }
    }
}

/// Hands on each letter of a file and of the rotated ones before it, with its place among them, from 1; none for a line that
/// cannot be read, of which the first ones are told on stderr.
///
/// # Errors
/// When the files cannot be read.
pub fn each_letter(file: &Path, mut found: impl FnMut(u64, Option<Letter>)) -> io::Result<()> {
    each_letter_until(file, |number, letter| {
        found(number, letter);
        true
    })
}

/// As [`each_letter`], until `found` says that it is enough.
fn each_letter_until(file: &Path, mut found: impl FnMut(u64, Option<Letter>) -> bool) -> io::Result<()> {
    let (mut number, mut broken) = (0, 0);
    letters_until(file, |letter| {
        number += 1;
        if let Err(error) = &letter {
            broken += 1;
            if broken <= BROKEN_TOLD_MAX {
                note(format_args!("{error}; skipped"));
            }
        }
        found(number, letter.ok())
    })
}
