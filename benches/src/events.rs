//! Streams of events: what a message costs that goes to a thousand clients, what idle ones cost, what becomes of one that has
//! stopped, and whether publishing suffers.

mod fan_out;
mod idle;
mod publishing;
mod source;
mod stopped;

use crate::host;
use crate::options::{OfParts, Options};
use crate::report::Report;
use anyhow::Result;
use clap::ValueEnum;
use std::path::Path;

/// The topic that idle clients follow, of which there are no messages.
const NO_TOPIC: &str = "idle";

/// A part of the comparison.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    FanOut,
    Idle,
    Stopped,
    Publishing,
}

/// Measures a part in all its rounds.
type Measure = fn(&Options, &Path, &mut Report) -> Result<()>;

const PARTS: [(What, Measure); 4] = [
    (What::FanOut, fan_out::measure),
    (What::Idle, idle::measure),
    (What::Stopped, stopped::measure),
    (What::Publishing, publishing::measure),
];

/// Measures each part in all its rounds.
pub fn run(options: &OfParts<What>) -> Result<Report> {
    let binary = options.common.host.clone().map_or_else(host::build, Ok)?;
    let mut report = Report::new("events", &[fan_out::ABOUT, idle::ABOUT, stopped::ABOUT, publishing::ABOUT]);
    for (part, measure) in PARTS {
        if options.measures(&part) {
            measure(&options.common, &binary, &mut report)?;
        }
    }
    Ok(report)
}
