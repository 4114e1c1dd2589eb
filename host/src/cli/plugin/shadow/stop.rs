//! `tidegate plugin shadow stop`: ends a shadow.

use super::status::line;
use crate::cli::plugin::Admin;
use crate::cli::plugin::admin::names::plugin_names;
use clap::Args;
use clap_complete::ArgValueCandidates;
use std::process::ExitCode;

/// The flags of `plugin shadow stop`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Stop {
    /// The plugin that it stands beside
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: String,
    #[command(flatten)]
    admin: Admin,
}

impl Stop {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, admin } = self;
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        admin.run("DELETE", &format!("/plugins/{name}/shadow"), &[], line)?;
        Ok(ExitCode::SUCCESS)
    }
}
