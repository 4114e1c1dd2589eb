//! `tidegate ledger`: what a running host has counted, once or every second.

mod rows;
mod watch;

use super::plugin::Admin;
use clap::Args;
use std::process::ExitCode;

/// Show what came in at each hop of a running host, what went out, and why the rest did not.
///
/// With --watch every second what has changed, and how much that is a second: a table on a terminal, else a line for each
/// hop and plugin at which something did; Ctrl-C ends.
#[derive(Debug, Args)]
pub(super) struct Ledger {
    /// Show what changes, every second
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Ledger {
    /// Asks the host, once or until the user wants an end.
    ///
    /// # Errors
    /// When no host answers, it refuses, or stdout does not take the answer.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.watch {
            watch::run(&self.admin)?;
        } else {
            self.admin.run("GET", "/ledger", &[], rows::totals)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
