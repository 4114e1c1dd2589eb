//! `tidegate plugin load`: puts a component into a running host, and waits until it serves or is refused.

use super::names::plugin_names;
use super::{Admin, short, text};
use anyhow::Context;
use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `plugin load`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Load {
    /// The plugin; an unknown name becomes a new one
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: String,
    /// The component; without it the host looks at the plugin's own source again. Either way it is loaded even if it
    /// was rolled back before
    file: Option<PathBuf>,
    /// Also write the component to the plugin's source, so that it survives a restart of the host
    #[arg(long, requires = "file")]
    persist: bool,
    /// It is wanted that the component answers captured traffic otherwise than what serves: the plugin's gate does not
    /// compare it
    #[arg(long)]
    expect_diff: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Load {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, file, persist, expect_diff, admin } = self;
        // A name that could be no part of a path would ask for something else; the host explains it less well.
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        match file {
            Some(file) => {
                let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
                let path = format!("/plugins/{name}?persist={persist}&expect_diff={expect_diff}");
                admin.run("PUT", &path, &bytes, show)?;
            }
            None => admin.run("POST", &format!("/plugins/{name}/load?expect_diff={expect_diff}"), &[], show)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What serves now, and for how long.
pub(crate) fn show(swap: &Value) -> String {
    let is = |key: &str| swap.get(key).and_then(Value::as_bool).unwrap_or_default();
    let (plugin, generation) = (text(swap, "plugin"), &swap["generation"]);
    let serves = if is("changed") { "serves" } else { "is unchanged and serves" };
    let kept = if is("persisted") { "the next start loads it too" } else { "not persisted" };
    format!("{plugin} {serves}: generation {generation}, digest {}, {kept}\n", short(text(swap, "digest")))
}
