//! `tidegate dead-letters`: what was lost, to be listed, looked at, and tried again.

mod list;
mod offline;
mod replay;
mod send;
mod show;

use crate::dead_letters::{Letter, read};
use crate::system::output::note;
use anyhow::bail;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum DeadLetters {
    /// Show what was lost, one line each, the oldest first
    List(list::List),
    /// Show all of one letter
    Show(show::Show),
    /// Run a letter through a component, or send it to a host again
    Replay(replay::Replay),
}

impl DeadLetters {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run(),
            Self::Show(show) => show.run(),
            Self::Replay(replay) => replay.run(),
        }
    }
}

/// Where letters are read from.
#[derive(Debug, Args)]
struct LetterFiles {
    /// The file that the host writes, dead_letters.file of its configuration; FILE.1, FILE.2, … are read too
    #[arg(long, value_name = "FILE", default_value = "dead-letters.jsonl")]
    file: PathBuf,
}

impl LetterFiles {
    /// Hands on the letters, the oldest first. A broken line is told of and skipped.
    fn read(&self, mut found: impl FnMut(Letter)) -> std::io::Result<()> {
        read(&self.file, |letter| match letter {
            Ok(letter) => found(letter),
            Err(broken) => note(format_args!("{broken}; skipped")),
        })
    }

    /// The letters of one request: the one of its call, or those of its replies.
    fn of(&self, id: &str) -> anyhow::Result<Vec<Letter>> {
        let mut letters = Vec::new();
        self.read(|letter| {
            if letter.id == id {
                letters.push(letter);
            }
        })?;
        if letters.is_empty() {
            bail!(
                "no letter of {} has the id {id}: `tidegate dead-letters list` shows those there are",
                self.file.display()
            );
        }
        Ok(letters)
    }
}
