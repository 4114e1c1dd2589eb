//! `tidegate flow shadow`: has a running host lead messages through other plugins beside those of a flow, and shows what comes out.

use crate::cli::plugin::shadow::{Bounds, Terms, line, whole};
use crate::cli::plugin::{Admin, encoded, flow_names, items, text};
use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of `flow shadow`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(in crate::cli) struct Shadow {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: Start,
}

#[derive(Debug, Args)]
struct Start {
    /// The flow that it stands beside
    // Optional for the parser alone: where a subcommand is given it is that which names one.
    #[arg(required = true, add = ArgValueCandidates::new(flow_names))]
    name: Option<String>,
    /// The plugins that messages are led through instead, each of which is loaded
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', required = true)]
    through: Vec<String>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what the shadow beside a flow has found
    Status(Named),
    /// Have the flow lead through the plugins of its shadow, if what that was begun with allows it
    Promote(Promote),
    /// End the shadow beside a flow
    Stop(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// The flow that it stands beside
    #[arg(add = ArgValueCandidates::new(flow_names))]
    name: String,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Args)]
struct Promote {
    #[command(flatten)]
    flow: Named,
    #[command(flatten)]
    bounds: Bounds,
}

impl Shadow {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Some(Command::Status(Named { name, admin })) => admin.run("GET", &path(&name), &[], whole)?,
            Some(Command::Stop(Named { name, admin })) => admin.run("DELETE", &path(&name), &[], line)?,
            Some(Command::Promote(Promote { flow: Named { name, admin }, bounds })) => {
                let path = format!("{}/promote?persist=false{}", path(&name), bounds.query());
                admin.run("POST", &path, &[], promoted)?;
            }
            None => {
                let Start { name, through, terms, admin } = self.start;
                let path = format!("{}?{}", path(&name.unwrap_or_default()), terms.query("through", &through));
                admin.run("PUT", &path, &[], line)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn path(flow: &str) -> String {
    format!("/flows/{}/shadow", encoded(flow))
}

fn promoted(flow: &Value) -> String {
    let through: Vec<_> = items(flow, "through").iter().filter_map(Value::as_str).collect();
    format!("flows.{} leads through {}: write it into the configuration too\n", text(flow, "flow"), through.join(" → "))
}
