//! `tidegate flow call`: tries all steps of a flow or a route of a running host on one message.

use crate::cli::output::render::{field, printable};
use crate::cli::plugin::{Admin, Given, call_of_steps, encoded, flow_names, items, shown_call, shown_log, text};
use clap::Args;
use clap_complete::ArgValueCandidates;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of `flow call`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Call {
    /// The flow; with --route, the route
    #[arg(add = ArgValueCandidates::new(flow_names))]
    name: String,
    #[command(flatten)]
    given: Given,
    /// NAME is a route, not a flow
    #[arg(long)]
    route: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Call {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, given, route, admin } = self;
        let (kind, name) = (if route { "routes" } else { "flows" }, encoded(&name));
        let call = call_of_steps(given)?.to_string();
        admin.run("POST", &format!("/{kind}/{name}/call"), call.as_bytes(), show)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What came out, and below it a line for each call of a step; a handler is the only step of its route.
fn show(returned: &Value) -> String {
    let steps = items(returned, "steps").iter().map(|step| {
        let by = match step.get("generation") {
            Some(generation) => format!("{}, generation {generation}", text(step, "step")),
            None => text(step, "step").to_owned(),
        };
        let (messages, took) = (&step["messages"], &step["duration_us"]);
        field("step", &format!("{}: {messages} messages, {took} µs", printable(&by))) + &shown_log(step)
    });
    shown_call(returned)
        + &shown_log(returned)
        + &steps.collect::<String>()
        + &format!("took: {} µs\n", returned["duration_us"])
}
