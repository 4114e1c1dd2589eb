//! Every comparison that a target hangs on, one after the other.

use crate::options::Options;
use crate::report::Report;
use crate::{broker, call, host, http, ledger, path, publish, scale, start, swap};
use anyhow::{Result, ensure};

/// What a subcommand runs.
type Comparison = fn(&Options) -> Result<Report>;

/// Each under the name of its subcommand.
const COMPARISONS: &[(&str, Comparison)] = &[
    ("http", http::run),
    ("broker", broker::run),
    ("publish", publish::run),
    ("call", |options| call::run(&call::Call { options: options.clone(), guests: None })),
    ("ledger", ledger::run),
    ("path", path::run),
    ("swap", swap::run),
    ("start", start::run),
    ("scale", |options| scale::run(&scale::Options { common: options.clone(), only: None })),
];

/// Measures. What fails is told at once, and what was measured for all that is told by `tell`.
pub fn run(options: &Options, tell: impl FnOnce(&[Report]) -> Result<bool>) -> Result<bool> {
    let mut options = options.clone();
    // Once for all of them; this one first, because both are built to one place.
    if options.host.is_none() {
        options.compiled_in = Some(options.compiled_in.map_or_else(host::build_compiled_in, Ok)?);
        options.host = Some(host::build()?);
    }
    let (mut reports, mut failed) = (Vec::new(), Vec::new());
    for &(name, run) in COMPARISONS {
        match run(&options) {
            Ok(report) => reports.push(report),
            Err(error) => {
                eprintln!("error: {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    let met = tell(&reports)?;
    ensure!(failed.is_empty(), "{}", failed.join(", "));
    Ok(met)
}
