//! `tidegate capture cat`: prints a capture or dead letters, without a host.

use crate::cli::traffic::{ChoiceFlags, shown};
use crate::record::capture::CaptureFile;
use crate::record::traffic::{TrafficKind, each_entry};
use crate::system::output::{note, try_print, unless_unread};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// What is printed at a time.
const PART_BYTES: usize = 64 << 10;

/// The flags of `capture cat`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Cat {
    /// The capture, or a file of dead letters
    file: PathBuf,
    #[command(flatten)]
    choice: ChoiceFlags,
    /// Print JSON, a line for each record
    #[arg(long)]
    json: bool,
}

impl Cat {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { file, choice, json } = self;
        let mut text = match TrafficKind::of(&file)? {
            TrafficKind::Capture if !json => shown::head(&CaptureFile::open(&file)?),
            _ => String::new(),
        };
        let (mut left, choice) = (choice.limit(), choice.choice());
        let mut printed = Ok(());
        let lost = each_entry(&file, &choice, |entry| {
            // What cannot be read is told of elsewhere.
            let Some(entry) = entry.filter(|_| left > 0) else { return left > 0 };
            left -= 1;
            printed = shown::entry(&entry, json).and_then(|entry| {
                text += &entry;
                if text.len() >= PART_BYTES || left == 0 {
                    try_print(&text)?;
                    text.clear();
                }
                Ok(())
            });
            printed.is_ok() && left > 0
        })?;
        if let Err(error) = printed {
            // Whoever has read enough is not told of the rest.
            unless_unread(Err(error.downcast::<std::io::Error>()?))?;
            return Ok(ExitCode::SUCCESS);
        }
        unless_unread(try_print(&text))?;
        for line in lost.lines() {
            note(format_args!("{}: {line}", file.display()));
        }
        Ok(ExitCode::SUCCESS)
    }
}
