//! `tidegate flow apply`: has a running host run other sockets, flows and routes.

use crate::cli::plugin::{Admin, items};
use anyhow::Context;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `flow apply`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Apply {
    /// The configuration
    #[arg(value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    admin: Admin,
}

impl Apply {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, admin } = self;
        let text = std::fs::read(&config).with_context(|| format!("reading {}", config.display()))?;
        admin.run("PUT", "/flows", &text, show)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A line for each key.
fn show(applied: &Value) -> String {
    let mut lines = String::new();
    for (list, what) in
        [("added", "added"), ("changed", "changed"), ("removed", "removed"), ("restart", "waits for a restart")]
    {
        for key in items(applied, list).iter().filter_map(Value::as_str) {
            lines += &format!("{key} {what}\n");
        }
    }
    if lines.is_empty() { "nothing has changed\n".to_owned() } else { lines }
}
