//! `tidegate capture cat`: prints a capture, without a host.

mod shown;

use super::place::Place;
use crate::record::capture::CaptureFile;
use crate::record::choice::Choice;
use crate::system::output::{note, try_print, unless_unread};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// What is printed at a time.
const PART_BYTES: usize = 64 << 10;

/// The flags of `capture cat`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Cat {
    /// The capture
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Only records whose topic begins so
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// No more records than this
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Print JSON, a line for each record
    #[arg(long)]
    json: bool,
}

impl Cat {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { file, place, topic, limit, json } = self;
        let capture = CaptureFile::open(&file)?;
        let mut text = if json { String::new() } else { shown::head(&capture) };
        let (places, topic) = (place.chosen().into_iter().collect(), topic.unwrap_or_default().into_bytes());
        let mut records = capture.records(Choice { places, topic, ..Choice::default() });
        let mut left = limit.unwrap_or(u64::MAX);
        while left > 0
            && let Some(captured) = records.next()
        {
            text += &if json { shown::json(&captured?)? } else { shown::text(&captured?) };
            left -= 1;
            if text.len() >= PART_BYTES {
                let written = try_print(&text);
                // Whoever has read enough is not told of the rest.
                if written.is_err() {
                    unless_unread(written)?;
                    return Ok(ExitCode::SUCCESS);
                }
                text.clear();
            }
        }
        unless_unread(try_print(&text))?;
        for line in records.lost().lines() {
            note(format_args!("{}: {line}", file.display()));
        }
        Ok(ExitCode::SUCCESS)
    }
}
