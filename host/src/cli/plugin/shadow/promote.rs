//! `tidegate plugin shadow promote`: has a shadow serve.

use crate::cli::plugin::Admin;
use crate::cli::plugin::admin::load::show;
use crate::cli::plugin::admin::names::plugin_names;
use crate::cli::plugin::encoded;
use crate::record::compare::DifferenceBound;
use clap::Args;
use clap_complete::ArgValueCandidates;
use std::process::ExitCode;

/// The flags of `plugin shadow promote`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Promote {
    /// The plugin that it stands beside
    #[arg(add = ArgValueCandidates::new(plugin_names))]
    name: String,
    #[command(flatten)]
    bounds: Bounds,
    /// Also write the component to the plugin's source, so that it survives a restart of the host
    #[arg(long)]
    persist: bool,
    #[command(flatten)]
    admin: Admin,
}

/// What is taken instead of what the shadow was begun with.
#[derive(Debug, Args)]
pub(in crate::cli) struct Bounds {
    /// Calls that have to be compared [default: as the shadow was begun with]
    #[arg(long, value_name = "N")]
    min_calls: Option<u64>,
    /// How much may differ, as a number of calls or as a share such as 0.1% [default: as the shadow was begun with]
    #[arg(long, value_name = "N|N%")]
    max_diff: Option<DifferenceBound>,
}

impl Bounds {
    /// As further pairs of the query of the request.
    pub(in crate::cli) fn query(&self) -> String {
        let min_calls = self.min_calls.map(|min_calls| format!("&min_calls={min_calls}"));
        let max_diff = self.max_diff.map(|max_diff| format!("&max_diff={}", encoded(&max_diff.to_string())));
        min_calls.into_iter().chain(max_diff).collect()
    }
}

impl Promote {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, bounds, persist, admin } = self;
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        let query = format!("persist={persist}{}", bounds.query());
        admin.run("POST", &format!("/plugins/{name}/shadow/promote?{query}"), &[], show)?;
        Ok(ExitCode::SUCCESS)
    }
}
