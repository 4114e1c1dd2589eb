//! `tidegate plugin pause` and `resume`: have a running host call a plugin no more, or again.

use super::names::plugin_names;
use super::{Admin, text};
use crate::cli::output::render::printable;
use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of both.
#[derive(Debug, Args)]
pub(in crate::cli) struct Pause {
    /// The plugin
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: String,
    #[command(flatten)]
    admin: Admin,
}

impl Pause {
    /// `command` is `pause` or `resume`.
    pub(crate) fn run(self, command: &str) -> anyhow::Result<ExitCode> {
        let Self { name, admin } = self;
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        admin.run("POST", &format!("/plugins/{name}/{command}"), &[], show)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What it does now.
fn show(plugin: &Value) -> String {
    let notice = plugin.get("notice").and_then(Value::as_str).map(|notice| format!(": {}", printable(notice)));
    format!("{} is {}{}\n", text(plugin, "name"), text(plugin, "state"), notice.unwrap_or_default())
}
