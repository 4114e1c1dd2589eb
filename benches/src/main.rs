//! The measured comparisons: each subcommand starts what it compares, puts traffic on it and prints what came out.

mod call;
mod client;
mod figures;
mod host;
mod machine;
mod neighbours;
mod options;
mod overload;
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
    /// What one call costs in-process: native, reused, fresh, and in extism
    Call(call::Call),
}

fn main() -> ExitCode {
    let measured = match Cli::parse().comparison {
        Comparison::Neighbours(options) => neighbours::run(&options),
        Comparison::Overload(options) => overload::run(&options),
        Comparison::Call(call) => call.options.finish(call::run(&call)),
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
