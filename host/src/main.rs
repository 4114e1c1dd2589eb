//! The binary: parse, run, exit code.

use std::process::ExitCode;
use tidegate::cli;

fn main() -> ExitCode {
    cli::run()
}
