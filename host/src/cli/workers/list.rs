//! `tidegate workers list`: the pools of a running host, and below them their workers, one line each.

use crate::cli::output::render::one_line;
use crate::cli::output::table::table;
use crate::cli::plugin::{Admin, items, text};
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;

/// The flags of `workers list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    admin: Admin,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.admin.run("GET", "/workers", &[], |pools| show(pools.as_array().map_or(&[], Vec::as_slice)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A table of the pools, and one of the workers, if there are any.
fn show(pools: &[Value]) -> String {
    let heads = ["POOL", "AT", "IDLE", "BUSY", "QUEUE", "IN FLIGHT", "DONE", "RETRIES", "LATE", "MEAN"];
    let mut output = table(heads, pools.iter().map(pool_row).collect());
    let workers: Vec<_> = pools
        .iter()
        .flat_map(|pool| items(pool, "workers").iter().map(|worker| worker_row(text(pool, "name"), worker)))
        .collect();
    if !workers.is_empty() {
        let heads =
            ["POOL", "ID", "STATE", "PROTOCOL", "IDENTITY", "ADDRESS", "SILENT", "IN FLIGHT", "DONE", "MEAN", "KEY"];
        output += &format!("\n{}", table(heads, workers));
    }
    output
}

fn pool_row(pool: &Value) -> [String; 10] {
    let endpoints: Vec<_> = items(pool, "endpoints").iter().filter_map(Value::as_str).collect();
    let numbers = ["idle", "busy", "queue_messages", "in_flight", "done", "retries", "late"];
    let [idle, busy, queue, in_flight, done, retries, late] = numbers.map(|key| number(pool, key));
    let mean = milliseconds(pool, "mean_us");
    [one_line(text(pool, "name")), endpoints.join(","), idle, busy, queue, in_flight, done, retries, late, mean]
}

fn worker_row(pool: &str, worker: &Value) -> [String; 11] {
    // What a worker says of itself steers no terminal.
    let [state, protocol, identity, address, key] =
        ["state", "protocol", "identity", "address", "key"].map(|key| one_line(text(worker, key)));
    let [id, in_flight, done] = ["id", "in_flight", "done"].map(|key| number(worker, key));
    let silent = worker["silent_ms"].as_u64().map_or("-".to_owned(), |ms| format!("{:.1}s", ms as f64 / 1_000.0));
    let mean = milliseconds(worker, "mean_us");
    [one_line(pool), id, state, protocol, identity, address, silent, in_flight, done, mean, key]
}

fn number(status: &Value, key: &str) -> String {
    status[key].as_u64().unwrap_or_default().to_string()
}

/// A time that is told in microseconds.
fn milliseconds(status: &Value, key: &str) -> String {
    status[key].as_u64().map_or("-".to_owned(), |us| format!("{:.1}ms", us as f64 / 1_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{PoolStatus, WorkerState, WorkerStatus};
    use serde_json::json;

    #[test]
    fn pools_and_workers_are_two_tables() {
        let worker = WorkerStatus {
            id: 7,
            identity: "a\u{1b}b".to_owned(),
            protocol: "mdp-0.2",
            state: WorkerState::Draining,
            address: Some("127.0.0.1:1".to_owned()),
            key: None,
            connected_ms: 60_000,
            silent_ms: Some(340),
            in_flight: 1,
            done: 20,
            mean_us: Some(1_240),
        };
        let pool = PoolStatus {
            name: "score".to_owned(),
            endpoints: vec!["tcp://127.0.0.1:5571".to_owned()],
            busy: 1,
            in_flight: 1,
            done: 30,
            workers: vec![worker],
            ..PoolStatus::default()
        };
        let empty = PoolStatus { name: "empty".to_owned(), ..PoolStatus::default() };
        let lines = |pools: &[Value]| {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            show(pools).lines().map(words).collect::<Vec<_>>()
        };
        let heads = "POOL AT IDLE BUSY QUEUE IN FLIGHT DONE RETRIES LATE MEAN";
        let expected = [
            heads,
            "score tcp://127.0.0.1:5571 0 1 0 1 30 0 0 -",
            "empty 0 0 0 0 0 0 0 -",
            "",
            "POOL ID STATE PROTOCOL IDENTITY ADDRESS SILENT IN FLIGHT DONE MEAN KEY",
            "score 7 draining mdp-0.2 a\\u{1b}b 127.0.0.1:1 0.3s 1 20 1.2ms -",
        ];
        assert_eq!(lines(&[json!(pool), json!(empty)]), expected);
        assert_eq!(lines(&[]), [heads]);
    }
}
