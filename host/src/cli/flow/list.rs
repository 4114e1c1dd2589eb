//! `tidegate flow list`: the flows of a running host, one line each.

use crate::cli::output::render::printable;
use crate::cli::output::table::table;
use crate::cli::plugin::{Admin, items, text};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of `flow list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    admin: Admin,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.admin.run("GET", "/flows", &[], |flows| show(flows.as_array().map_or(&[], Vec::as_slice)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A table, and below it what keeps flows from going on.
fn show(flows: &[Value]) -> String {
    let heads = ["NAME", "STATE", "FROM", "THROUGH", "TO", "IN", "OUT", "DROPPED", "IN FLIGHT", "WAITING"];
    let mut output = table(heads, flows.iter().map(row).collect());
    for flow in flows {
        if let Some(obstacle) = flow.get("obstacle").and_then(Value::as_str) {
            output += &format!("{}\n", printable(obstacle));
        }
    }
    output
}

fn row(flow: &Value) -> [String; 10] {
    let names = |key: &str| {
        let names: Vec<_> = items(flow, key).iter().filter_map(Value::as_str).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(",") }
    };
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let counts = &flow["counts"];
    let dropped = counts["dropped"].as_object().into_iter().flat_map(|reasons| reasons.values());
    let dropped: u64 = dropped.map(number).sum();
    let numbers =
        [number(&counts["in"]), number(&counts["out"]), dropped, number(&flow["in_flight"]), number(&flow["waiting"])];
    let [entered, out, dropped, in_flight, waiting] = numbers.map(|number| number.to_string());
    let [name, state] = ["name", "state"].map(|key| text(flow, key).to_owned());
    [name, state, names("from"), names("through"), names("to"), entered, out, dropped, in_flight, waiting]
}
