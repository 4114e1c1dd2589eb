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
    /// The generation to go back to, among the last two, which `plugin list --json` tells [default: the one before]
    #[arg(long, value_name = "GENERATION")]
    to: Option<u64>,
    /// Keep what serves now out of service after a restart of the host too
    #[arg(long)]
    persist: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Rollback {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, to, persist, admin } = self;
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        let to = to.map(|generation| format!("&to={generation}")).unwrap_or_default();
        admin.run("POST", &format!("/plugins/{name}/rollback?persist={persist}{to}"), &[], show)?;
        Ok(ExitCode::SUCCESS)
    }
}
