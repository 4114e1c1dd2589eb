//! `tidegate plugin shadow NAME FILE`: begins a shadow.

use super::encoded;
use super::status::line;
use crate::cli::plugin::Admin;
use crate::cli::plugin::admin::names::plugin_names;
use crate::record::compare::{DifferenceBound, JsonPath};
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
    /// Of a hundred calls it is called on so many
    #[arg(long, value_name = "N", default_value = "100")]
    percent: f64,
    /// Calls that have to be compared before it may serve
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    min_calls: u64,
    /// How much may differ then, as a number of calls or as a share such as 0.1%
    #[arg(long, value_name = "N|N%", default_value = "0")]
    max_diff: DifferenceBound,
    /// Have it take the place of what serves by itself once it may
    #[arg(long)]
    auto: bool,
    /// A place in JSON that may differ, such as $.ts or $.items[*].id. Repeatable
    #[arg(long = "ignore", value_name = "PATH")]
    ignored: Vec<JsonPath>,
    /// An array in JSON whose elements may stand in any order, such as $.items. Repeatable
    #[arg(long, value_name = "PATH")]
    unordered: Vec<JsonPath>,
    #[command(flatten)]
    admin: Admin,
}

impl Start {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, file, set, percent, min_calls, max_diff, auto, ignored, unordered, admin } = self;
        let name = name.unwrap_or_default();
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        let bytes = match &file {
            Some(file) => std::fs::read(file).with_context(|| format!("reading {}", file.display()))?,
            None => Vec::new(),
        };
        if let Some(file) = file.filter(|_| bytes.is_empty()) {
            bail!("{} is empty: name a component", file.display());
        }
        let max_diff = encoded(&max_diff.to_string());
        let mut query = format!("percent={percent}&min_calls={min_calls}&max_diff={max_diff}&auto={auto}");
        let mut add = |key: &str, value: &str| query += &format!("&{key}={}", encoded(value));
        ignored.iter().for_each(|path| add("ignore", &path.to_string()));
        unordered.iter().for_each(|path| add("unordered", &path.to_string()));
        set.iter().for_each(|setting| add("set", setting));
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
