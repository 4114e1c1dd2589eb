//! `tidegate workers`: who works in the pools of a running host, and letting one go.

mod list;

use crate::cli::plugin::{Admin, encoded, items, text};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Workers {
    /// Show the pools of a running host, and the workers of each
    List(list::List),
    /// Let a worker finish what it has, and go
    ///
    /// It gets no more messages; once it has answered those that it has, a worker of Majordomo gets a DISCONNECT. One that
    /// is to stay away has to end then, as `tidegate worker --end-on-disconnect` does.
    Drain(Drain),
}

impl Workers {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run(),
            Self::Drain(drain) => drain.run(),
        }
    }
}

/// The flags of `workers drain`.
#[derive(Debug, Args)]
pub(super) struct Drain {
    /// The name of the pool
    pool: String,
    /// The number of the worker, as `workers list` shows it
    worker: u64,
    #[command(flatten)]
    admin: Admin,
}

impl Drain {
    fn run(self) -> anyhow::Result<ExitCode> {
        let Self { pool, worker, admin } = self;
        let name = encoded(&pool);
        admin.run("POST", &format!("/workers/{name}/drain/{worker}"), &[], |pool| drained(pool, worker))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What the worker does now.
fn drained(pool: &Value, worker: u64) -> String {
    let name = text(pool, "name");
    match items(pool, "workers").iter().find(|status| status["id"].as_u64() == Some(worker)) {
        Some(status) => {
            let (state, in_flight) = (text(status, "state"), &status["in_flight"]);
            format!("worker {worker} of {name} is {state}: {in_flight} in flight\n")
        }
        None => format!("worker {worker} of {name} has gone\n"),
    }
}
