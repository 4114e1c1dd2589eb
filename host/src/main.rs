//! The binary: parse, run, exit code.

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;
use tidegate::cli::Cli;

/// A request takes some sixty small allocations; the system's allocator makes a tenth of its processor time of them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
