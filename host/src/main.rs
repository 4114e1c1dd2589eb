//! The binary: parse, run, exit code.

use clap::Parser;
use std::process::ExitCode;
use tidegate::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
