//! `tidegate request`: the demo's DEALER clients, which ask the broker and time its replies.

use super::keys::Keys;
use super::peer;
use crate::clients::requester::{self, Settings};
use crate::config::timeout;
use crate::system::output::print;
use std::process::ExitCode;
use std::time::Duration;

/// Send numbered requests to the broker from several clients at a time, and print the replies.
///
/// Ends with a line that sums up; exit code 1 if no reply came.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Frontend to connect to, or all addresses of a name: dns+tcp://NAME:PORT
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:5570", value_parser = peer)]
    connect: String,
    /// How many clients ask at a time
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// How many requests each client sends
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// How long to wait for the replies to a request, such as 500ms, 5s or 2m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    timeout: Duration,
    #[command(flatten)]
    keys: Keys,
}

/// Runs all clients to their end. Exit code 0 if any reply came, else 1.
///
/// # Errors
/// When stdout does not take the summary.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { connect, clients, requests, timeout, keys } = args;
    let keys = keys.into_client_keys();
    let summary = requester::run(&Settings { endpoint: connect, clients, requests, timeout, keys });
    print(format!("{summary}\n"))?;
    Ok(if summary.replies > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
