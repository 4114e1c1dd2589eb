//! Pools of workers: what HTTP in front of them costs, and what more workers and more messages in flight do.

mod front;
mod scale;

use crate::host;
use crate::options::OfParts;
use crate::report::Report;
use anyhow::Result;
use clap::ValueEnum;

/// Where workers connect.
const BIND: &str = "tcp://127.0.0.1:*";

/// A part of the comparison.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    Front,
    Scale,
}

/// Measures each part in all its rounds.
pub fn run(options: &OfParts<What>) -> Result<Report> {
    let binary = options.common.host.clone().map_or_else(host::build, Ok)?;
    let mut report = Report::new("workers", &[front::ABOUT, scale::ABOUT]);
    if options.measures(&What::Front) {
        front::measure(&options.common, &binary, &mut report)?;
    }
    if options.measures(&What::Scale) {
        scale::measure(&options.common, &binary, &mut report)?;
    }
    Ok(report)
}

/// The configuration of a pool with these further keys.
fn pool(keys: &str) -> String {
    format!("[workers.score]\nbind = ['{BIND}']\n{keys}")
}
