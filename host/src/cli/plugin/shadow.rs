//! `tidegate plugin shadow`: has a running host call a newcomer beside a plugin, and shows what it makes of real traffic.

mod promote;
mod start;
mod status;
mod stop;
mod terms;

pub(in crate::cli) use promote::Bounds;
pub(in crate::cli) use status::{line, whole};
pub(in crate::cli) use terms::Terms;

use clap::{Args, Subcommand};
use std::process::ExitCode;

/// The flags of `plugin shadow`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct Shadow {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: start::Start,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what the shadows of a running host have found
    Status(status::Status),
    /// Have a shadow take the place of what serves, if what it was begun with allows it
    Promote(promote::Promote),
    /// End a shadow
    Stop(stop::Stop),
}

impl Shadow {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Some(Command::Status(status)) => status.run(),
            Some(Command::Promote(promote)) => promote.run(),
            Some(Command::Stop(stop)) => stop.run(),
            None => self.start.run(),
        }
    }
}
