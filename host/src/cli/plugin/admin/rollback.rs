//! `tidegate plugin rollback`: has a running host go back to what served before.

use super::Admin;
use super::load::show;
use super::names::plugin_names;
use clap::Args;
use clap_complete::ArgValueCandidates;
use std::process::ExitCode;

/// The flags of `plugin rollback`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// The plugin
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: String,
    #[command(flatten)]
    admin: Admin,
}

impl Rollback {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, admin } = self;
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        admin.run("POST", &format!("/plugins/{name}/rollback"), &[], show)?;
        Ok(ExitCode::SUCCESS)
    }
}
