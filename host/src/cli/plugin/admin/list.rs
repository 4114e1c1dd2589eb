//! `tidegate plugin list`: the plugins of a running host, one line each.

use super::{Admin, items, short, text};
use crate::cli::output::render::printable;
use crate::cli::output::table::table;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of `plugin list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    admin: Admin,
}

impl List {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        self.admin.run("GET", "/plugins", &[], |plugins| show(plugins.as_array().map_or(&[], Vec::as_slice)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A table, and below it what is not as it should be, and what was last refused.
fn show(plugins: &[Value]) -> String {
    let rows = plugins.iter().map(row).collect();
    let mut output =
        table(["NAME", "STATE", "GENERATION", "DIGEST", "ROLES", "INSTANCES", "CALLS", "FAILURES", "SOURCE"], rows);
    for plugin in plugins {
        let name = text(plugin, "name");
        let notice = plugin.get("notice").and_then(Value::as_str);
        if let Some(notice) = notice {
            output += &format!("{name}: {}\n", printable(notice));
        }
        if let Some(refused) = plugin.get("last_refused").filter(|refused| !refused.is_null()) {
            // Of what was rolled back, the notice has said it.
            if notice.is_some() && text(refused, "stage") == "probation" {
                continue;
            }
            let at = text(refused, "at");
            output += &format!("{name}: refused at {at}: {}\n", printable(text(refused, "reason")));
        }
    }
    output
}

fn row(plugin: &Value) -> [String; 9] {
    let number = |key: &str| plugin.get(key).and_then(Value::as_u64);
    let roles: Vec<&str> = items(plugin, "roles").iter().filter_map(Value::as_str).collect();
    let failures = plugin.get("failures").and_then(Value::as_object);
    let failures: u64 = failures.into_iter().flat_map(|reasons| reasons.values()).filter_map(Value::as_u64).sum();
    [
        text(plugin, "name").to_owned(),
        text(plugin, "state").to_owned(),
        number("generation").map_or("-".to_owned(), |generation| generation.to_string()),
        short(text(plugin, "digest")).to_owned(),
        if roles.is_empty() { "-".to_owned() } else { roles.join(",") },
        instances(plugin),
        of_all(number("generation_calls"), number("calls").unwrap_or_default()),
        of_all(number("generation_failures"), failures),
        printable(&source(plugin)),
    ]
}

/// A figure of the serving generation, and that of all where it is another.
fn of_all(serving: Option<u64>, all: u64) -> String {
    match serving {
        Some(serving) if serving != all => format!("{serving}/{all}"),
        _ => all.to_string(),
    }
}

/// What they are when a call begins, and how many new ones wait.
fn instances(plugin: &Value) -> String {
    let kind = text(plugin, "instances").split(' ').next().unwrap_or_default();
    match plugin.get("instances_warm").and_then(Value::as_u64) {
        Some(warm) if plugin.get("warm").and_then(Value::as_u64) > Some(0) => format!("{kind},{warm}-warm"),
        _ => kind.to_owned(),
    }
}

/// Where it comes from; behind a tag, what it stood for when it was loaded.
fn source(plugin: &Value) -> String {
    let source = text(plugin, "source");
    match plugin.get("artifact").and_then(Value::as_str).and_then(|artifact| artifact.split_once(':')) {
        Some((algorithm, digest)) if !source.contains('@') => format!("{source}@{algorithm}:{}", short(digest)),
        _ => source.to_owned(),
    }
}
