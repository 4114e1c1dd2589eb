//! `tidegate flow pause`, `resume` and `drain`.

use crate::cli::plugin::{Admin, encoded, flow_names, text};
use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of a command to one flow.
#[derive(Debug, Args)]
pub(in crate::cli) struct Named {
    /// The flow
    #[arg(add = ArgValueCandidates::new(flow_names))]
    name: String,
    #[command(flatten)]
    admin: Admin,
}

impl Named {
    pub(super) fn run(self, command: &str) -> anyhow::Result<ExitCode> {
        let Self { name, admin } = self;
        let name = encoded(&name);
        admin.run("POST", &format!("/flows/{name}/{command}"), &[], show)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What it does now, and what is left in it.
fn show(flow: &Value) -> String {
    let (name, state) = (text(flow, "name"), text(flow, "state"));
    format!("{name} is {state}: {} in flight, {} waiting\n", flow["in_flight"], flow["waiting"])
}
