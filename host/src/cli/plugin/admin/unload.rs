//! `tidegate plugin unload`: has a running host serve a plugin no more.

use super::names::plugin_names;
use super::{Admin, text};
use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of `plugin unload`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Unload {
    /// The plugin
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: String,
    #[command(flatten)]
    admin: Admin,
}

impl Unload {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, admin } = self;
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        admin.run("DELETE", &format!("/plugins/{name}"), &[], show)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What ends, and what is left.
fn show(gone: &Value) -> String {
    let (plugin, source) = (text(gone, "plugin"), text(gone, "source"));
    let served = match gone.get("generation").and_then(Value::as_u64) {
        Some(generation) => format!("generation {generation}"),
        None => "it never served".to_owned(),
    };
    let calls = match gone.get("calls_in_flight").and_then(Value::as_u64) {
        None | Some(0) => String::new(),
        Some(calls) => format!(", on which {calls} calls end"),
    };
    let next = match gone.get("returns").and_then(Value::as_bool) {
        Some(true) => format!("the next start loads it again from {source}"),
        _ => format!("{source} is not there, so the next start does without it"),
    };
    format!("{plugin} is unloaded: {served}{calls}; {next}\n")
}
