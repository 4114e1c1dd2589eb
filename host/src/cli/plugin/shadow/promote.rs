//! `tidegate plugin shadow promote`: has a shadow serve.

use super::encoded;
use crate::cli::plugin::Admin;
use crate::cli::plugin::admin::load::show;
use crate::cli::plugin::admin::names::plugin_names;
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
    /// Calls that have to be compared [default: as the shadow was begun with]
    #[arg(long, value_name = "N")]
    min_calls: Option<u64>,
    /// How much may differ, as a number of calls or as a share such as 0.1% [default: as the shadow was begun with]
    #[arg(long, value_name = "N|N%")]
    max_diff: Option<DifferenceBound>,
    /// Also write the component to the plugin's source, so that it survives a restart of the host
    #[arg(long)]
    persist: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Promote {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, min_calls, max_diff, persist, admin } = self;
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        let mut query = format!("persist={persist}");
        if let Some(min_calls) = min_calls {
            query += &format!("&min_calls={min_calls}");
        }
        if let Some(max_diff) = max_diff {
            query += &format!("&max_diff={}", encoded(&max_diff.to_string()));
        }
        admin.run("POST", &format!("/plugins/{name}/shadow/promote?{query}"), &[], show)?;
        Ok(ExitCode::SUCCESS)
    }
}
