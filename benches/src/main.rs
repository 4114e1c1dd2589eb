//! The measured comparisons: each subcommand starts its contenders, puts traffic on them and prints the results.

mod all;
mod backbone;
mod broker;
mod call;
mod chart;
mod client;
mod event_client;
mod events;
mod example;
mod figures;
mod host;
mod http;
mod idle;
mod launch;
mod ledger;
mod load;
mod machine;
mod neighbours;
mod options;
mod overload;
mod path;
mod peer;
mod process;
mod processor_time;
mod publish;
mod python;
mod report;
mod row;
mod scale;
mod start;
mod stream;
mod swap;
mod tap;
mod traffic;
mod usage;
mod workers;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use options::{OfParts, Options};
use report::Report;
use serde::Serialize;
use std::process::ExitCode;

/// The exit code if a target is missed and `--judge` is given.
const MISSED: u8 = 3;

/// Measures what Tidegate costs and what it guarantees, on this machine, over loopback.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    comparison: Comparison,
}

#[derive(Subcommand)]
enum Comparison {
    /// All of those below that a target hangs on, one after the other
    All(Options),
    /// `/downcase/` against the logic compiled in, the demo in Python and `wasmtime serve`
    Http(Options),
    /// What one plugin that loops on every call does to the route of another
    Neighbours(neighbours::Options),
    /// Twice the load that can be sustained: what is answered, how soon, and what becomes of it afterwards
    Overload(overload::Options),
    /// From exec to ready, and memory at rest
    Start(Options),
    /// From a new file in place to the first answer from it, and what swaps do to the traffic
    Swap(Options),
    /// What a message costs with more and more plugins, clients and delayed replies, and what it costs to hold them
    Scale(OfParts<scale::What>),
    #[command(hide = true, subcommand)]
    Idle(idle::Idle),
    /// Requests and replies through the broker, against libzmq's own proxy with native workers
    Broker(Options),
    /// PUB to SUB, and `subscribe` writing its log, against libzmq alone
    Publish(Options),
    /// Flows between sockets, against pyzmq, libzmq's proxy, and the logic compiled in
    Stream(stream::Options),
    /// HTTP in front of pools of workers, against workers that are asked directly and against Flask
    Workers(OfParts<workers::What>),
    /// Streams of events: what a thousand clients cost, ten thousand idle ones, and one that has stopped
    Events(OfParts<events::What>),
    /// What is stored in JetStream, from ZeroMQ and from HTTP, against async-nats alone
    Backbone(Options),
    #[command(hide = true, subcommand)]
    Peer(peer::Peer),
    /// Makes HTTP load
    #[command(hide = true)]
    Load(load::Arguments),
    /// Counts what a publisher sends
    #[command(hide = true)]
    Tap(tap::Arguments),
    /// What one call costs in-process: native, reused, fresh, and in extism
    Call(call::Call),
    /// What a passage through a hop of the ledger costs, with more and more threads on the same hop
    Ledger(Options),
    /// How often memory is taken for one request, beyond what hyper and warp take
    Path(Options),
}

fn main() -> ExitCode {
    let measured = match Cli::parse().comparison {
        Comparison::All(options) => all::run(&options, |reports| print_reports(&options, reports, &reports)),
        Comparison::Http(options) => tell(&options, http::run(&options)),
        Comparison::Neighbours(options) => neighbours::run(&options),
        Comparison::Overload(options) => overload::run(&options),
        Comparison::Start(options) => tell(&options, start::run(&options)),
        Comparison::Swap(options) => tell(&options, swap::run(&options)),
        Comparison::Scale(options) => tell(&options.common, scale::run(&options)),
        Comparison::Idle(idle) => idle.run().map(|()| true),
        Comparison::Broker(options) => tell(&options, broker::run(&options)),
        Comparison::Publish(options) => tell(&options, publish::run(&options)),
        Comparison::Stream(options) => tell(&options.common, stream::run(&options)),
        Comparison::Workers(options) => tell(&options.common, workers::run(&options)),
        Comparison::Events(options) => tell(&options.common, events::run(&options)),
        Comparison::Backbone(options) => tell(&options, backbone::run(&options)),
        Comparison::Peer(peer) => peer::run(&peer).map(|()| true),
        Comparison::Load(arguments) => load::run(&arguments).map(|()| true),
        Comparison::Tap(arguments) => tap::run(&arguments).map(|()| true),
        Comparison::Call(call) => tell(&call.options, call::run(&call)),
        Comparison::Ledger(options) => tell(&options, ledger::run(&options)),
        Comparison::Path(options) => tell(&options, path::run(&options)),
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

/// Measures one comparison and prints its report.
fn tell(options: &Options, report: Result<Report>) -> Result<bool> {
    let report = report?;
    print_reports(options, std::slice::from_ref(&report), &report)
}

/// Prints a report in the requested formats. Returns whether the exit code is 0.
fn print_reports(options: &Options, reports: &[Report], whole: &impl Serialize) -> Result<bool> {
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(whole)?),
        false => reports.iter().for_each(Report::print),
    }
    if let Some(path) = &options.svg {
        std::fs::write(path, chart::draw(reports)).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(!options.judge || options.quick || reports.iter().all(Report::is_met))
}
