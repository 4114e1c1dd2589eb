//! `tidegate capture list`: the captures of a running host, one line each.

use crate::cli::output::render::printable;
use crate::cli::output::table::table;
use crate::cli::plugin::{Admin, text};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of `capture list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    admin: Admin,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.admin.run("GET", "/captures", &[], |captures| show(captures.as_array().map_or(&[], Vec::as_slice)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A table, and below it what keeps captures from being written.
fn show(captures: &[Value]) -> String {
    let heads = ["ID", "STATE", "OF", "RECORDS", "DROPPED", "BYTES", "FILE"];
    let mut output = table(heads, captures.iter().map(row).collect());
    captures.iter().for_each(|capture| output += &obstacle(capture));
    output
}

fn row(capture: &Value) -> [String; 7] {
    let of = ["flow", "route", "policy"].into_iter().find_map(|kind| {
        let name = capture.get(kind)?.as_str()?;
        Some(format!("{kind} {name}"))
    });
    let [id, state, file] = ["id", "state", "file"].map(|key| printable(text(capture, key)));
    let [records, dropped, bytes] = ["records", "dropped", "bytes"].map(|key| capture[key].to_string());
    [id, state, printable(&of.unwrap_or_else(|| "all".to_owned())), records, dropped, bytes, file]
}

/// One capture in a line.
pub(super) fn told(capture: &Value) -> String {
    let [id, state, file] = ["id", "state", "file"].map(|key| printable(text(capture, key)));
    let (records, dropped) = (&capture["records"], &capture["dropped"]);
    format!("capture {id} is {state}: {records} records in {file}, {dropped} dropped\n") + &obstacle(capture)
}

fn obstacle(capture: &Value) -> String {
    let obstacle = capture.get("obstacle").and_then(Value::as_str);
    obstacle.map(|obstacle| format!("{}\n", printable(obstacle))).unwrap_or_default()
}
