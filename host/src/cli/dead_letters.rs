//! `tidegate dead-letters`: what was lost, to be listed, looked at, and tried again.

mod fetch;
mod list;
mod offline;
mod progress;
mod replay;
mod replay_all;
mod resend;
pub(super) mod send;
mod show;
mod source;

use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum DeadLetters {
    /// Show what was lost, one line each, the oldest first
    List(list::List),
    /// Copy the dead letters that a stream of NATS JetStream keeps into a file, which the others read
    Fetch(fetch::Fetch),
    /// Show all of a letter, or of those that the flags choose
    Show(show::Show),
    /// Run a letter through a component, or send it to a host again; or all that the flags choose
    Replay(replay::Replay),
}

impl DeadLetters {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run(),
            Self::Fetch(fetch) => fetch.run(),
            Self::Show(show) => show.run(),
            Self::Replay(replay) => replay.run(),
        }
    }
}
