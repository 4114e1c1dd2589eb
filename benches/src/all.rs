//! Every comparison that has a target, one after the other.

use crate::options::{OfParts, Options};
use crate::report::Report;
use crate::{backbone, broker, call, events, host, http, ledger, path, publish, scale, start, stream, swap, workers};
use anyhow::{Result, ensure};

/// The function that a subcommand runs.
type Comparison = fn(&Options) -> Result<Report>;

/// The comparisons, each under the name of its subcommand.
const COMPARISONS: &[(&str, Comparison)] = &[
    ("http", http::run),
    ("broker", broker::run),
    ("publish", publish::run),
    ("stream", |options| stream::run(&stream::Options::of(options.clone()))),
    ("workers", |options| workers::run(&OfParts::all(options.clone()))),
    ("events", |options| events::run(&OfParts::all(options.clone()))),
    ("backbone", backbone::run),
    ("call", |options| call::run(&call::Call { options: options.clone(), guests: None })),
    ("ledger", ledger::run),
    ("path", path::run),
    ("swap", swap::run),
    ("start", start::run),
    ("scale", |options| scale::run(&OfParts::all(options.clone()))),
];

/// Measures every comparison. A failure is printed at once, and each report is passed to `tell`.
pub fn run(options: &Options, tell: impl FnOnce(&[Report]) -> Result<bool>) -> Result<bool> {
    let mut options = options.clone();
    // The hosts are built once for all comparisons; this one first, because both builds write to the same path.
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
