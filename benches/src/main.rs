//! The measured comparisons: each subcommand starts what it compares, puts traffic on it and prints what came out.

mod broker;
mod client;
mod figures;
mod host;
mod idle;
mod launch;
mod machine;
mod neighbours;
mod options;
mod overload;
mod peer;
mod publish;
mod python;
mod report;
mod row;
mod scale;
mod start;
mod swap;
mod traffic;
mod usage;

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
    /// From exec to ready, and memory at rest
    Start(options::Options),
    /// From a new file in place to the first answer from it, and what swaps do to the traffic
    Swap(options::Options),
    /// What a message costs with more and more plugins, clients and delayed replies, and what it costs to hold them
    Scale(scale::Options),
    #[command(hide = true, subcommand)]
    Idle(idle::Idle),
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
        Comparison::Start(options) => options.finish(start::run(&options)),
        Comparison::Swap(options) => options.finish(swap::run(&options)),
        Comparison::Scale(options) => options.common.finish(scale::run(&options)),
        Comparison::Idle(idle) => idle.run().map(|()| true),
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
