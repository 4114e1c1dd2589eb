//! The measured comparisons: each subcommand starts what it compares, puts traffic on it and prints what came out.

mod broker;
mod client;
mod figures;
mod host;
mod machine;
mod neighbours;
mod options;
mod overload;
mod peer;
mod publish;
mod python;
mod report;
mod row;
mod traffic;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A comparison was measured, and `--judge` was told to hold it to its targets.
const MISSED: u8 = 3;

/// Measures what Tidegate costs and what it guarantees, on this machine, over loopback.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    comparison: Comparison,
}

#[derive(Subcommand)]
enum Comparison {
    /// What one plugin that loops on every call does to the route of another
    Neighbours(neighbours::Options),
    /// Twice the load that can be sustained: what is answered, how soon, and what becomes of it afterwards
    Overload(overload::Options),
    /// Requests and replies through the broker, against libzmq's own proxy with native workers
    Broker(broker::Options),
    /// PUB to SUB, and `subscribe` writing its log, against libzmq alone
    Publish(publish::Options),
    #[command(hide = true, subcommand)]
    Peer(peer::Peer),
}

fn main() -> ExitCode {
    let measured = match Cli::parse().comparison {
        Comparison::Neighbours(options) => neighbours::run(&options),
        Comparison::Overload(options) => overload::run(&options),
        Comparison::Broker(options) => options.common.finish(broker::run(&options)),
        Comparison::Publish(options) => options.common.finish(publish::run(&options)),
        Comparison::Peer(peer) => peer::run(&peer).map(|()| true),
    };
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(MISSED),
        Err(error) => {
            eprintln!("error: could not measure: {error:#}");
            ExitCode::FAILURE
        }
    }
}
