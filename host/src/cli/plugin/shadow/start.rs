//! `tidegate plugin shadow NAME FILE`: begins a shadow.

use super::status::line;
use super::terms::Terms;
use crate::cli::plugin::Admin;
use crate::cli::plugin::admin::names::plugin_names;
use anyhow::{Context, bail};
use clap::Args;
use clap_complete::ArgValueCandidates;
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `plugin shadow NAME FILE`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Start {
    /// The plugin that it stands beside
    // Optional for the parser alone: where a subcommand is given it is that which names one.
    #[arg(required = true, add = ArgValueCandidates::new(plugin_names))]
    name: Option<String>,
    /// The newcomer; without it, what serves under other settings
    #[arg(required_unless_present = "set", conflicts_with = "set")]
    file: Option<PathBuf>,
    /// A setting that differs from those of what serves. Repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<String>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    admin: Admin,
}

impl Start {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, file, set, terms, admin } = self;
        let name = name.unwrap_or_default();
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        let bytes = match &file {
            Some(file) => std::fs::read(file).with_context(|| format!("reading {}", file.display()))?,
            None => Vec::new(),
        };
        if let Some(file) = file.filter(|_| bytes.is_empty()) {
            bail!("{} is empty: name a component", file.display());
        }
        let query = terms.query("set", &set);
        admin.run("PUT", &format!("/plugins/{name}/shadow?{query}"), &bytes, line)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn setting(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no setting such as unit=celsius")),
    }
}
