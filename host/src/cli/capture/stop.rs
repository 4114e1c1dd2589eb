//! `tidegate capture stop`: ends a capture of a running host.

use super::list::told;
use crate::cli::plugin::{Admin, encoded};
use clap::Args;
use std::process::ExitCode;

/// The flags of `capture stop`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Stop {
    /// The capture, as `capture list` shows it
    id: String,
    #[command(flatten)]
    admin: Admin,
}

impl Stop {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { id, admin } = self;
        let id = encoded(&id);
        admin.run("DELETE", &format!("/capture/{id}"), &[], told)?;
        Ok(ExitCode::SUCCESS)
    }
}
