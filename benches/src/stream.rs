//! Streams: what flows between sockets carry, against loops in pyzmq and libzmq's own proxy, and what they cost.

mod between;
mod ends;
mod flows;
mod latency;
mod many;
mod memory;
mod throughput;

pub use ends::Ends;

use crate::host;
use crate::options;
use crate::peer::MESSAGE_BYTES;
use crate::report::Report;
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Messages per second where the rate is fixed.
const RATE: u32 = 20_000;
/// What also a debug build keeps up with.
const RATE_QUICK: u32 = 2_000;
const MINUTES: u64 = 5;

/// The options of the comparison.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    pub common: options::Options,
    /// How long memory is looked at [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1440))]
    pub minutes: Option<u64>,
    /// Only this part
    #[arg(long, value_name = "WHAT")]
    pub only: Option<What>,
}

/// A part of the comparison.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    Relay,
    Stages,
    Latency,
    Flows,
    Memory,
}

/// The binaries that are measured.
struct Hosts {
    host: PathBuf,
    /// The one with the logic compiled in, if there is one.
    compiled_in: Option<PathBuf>,
}

impl Options {
    pub fn of(common: options::Options) -> Self {
        Self { common, minutes: None, only: None }
    }

    fn rate(&self) -> u32 {
        if self.common.quick { RATE_QUICK } else { RATE }
    }

    /// How long memory is looked at, after a warm-up.
    fn memory_time(&self) -> Duration {
        match self.minutes {
            None if self.common.quick => Duration::from_secs(1),
            minutes => Duration::from_secs(60 * minutes.unwrap_or(MINUTES)),
        }
    }

    fn measures(&self, what: What) -> bool {
        self.only.is_none_or(|only| only == what)
    }

    /// Builds what is not named. With the logic compiled in comes first: both builds end up in one place.
    fn hosts(&self) -> Result<Hosts> {
        let Self { common, .. } = self;
        let compiled_in = match (&common.compiled_in, &common.host) {
            (None, None) if self.measures(What::Relay) => Some(host::build_compiled_in()?),
            (compiled_in, _) => compiled_in.clone(),
        };
        Ok(Hosts { host: common.host.clone().map_or_else(host::build, Ok)?, compiled_in })
    }
}

/// Measures each part in all its rounds.
pub fn run(options: &Options) -> Result<Report> {
    let hosts = options.hosts()?;
    let rate = options.rate();
    let about = [
        format!("messages    {MESSAGE_BYTES} bytes; both ends are one process, which binds, and what is between them connects"),
        "throughput  the sender never stops, what arrives is counted, and the run fails if one is missing: every queue makes\n              who fills it wait. A stage is `downcase` (in pyzmq: decode, lower, format, encode), which answers 2n + 18\n              bytes to n, so that the second and third of three stages get 146 and 310 bytes, of all contenders alike"
            .to_owned(),
        format!("latency     {rate} messages/s (open loop), each counted from when it was due; PULL to PUSH, with a stage and without"),
        format!("flows       {rate} messages/s in all; cpu is that of the host, libzmq's threads included"),
        "memory      what the host has resident while nobody reads what two flows (of a PULL and of a SUB) push, and their\n              senders never stop"
            .to_owned(),
    ];
    let mut report = Report::new("stream", &about.each_ref().map(String::as_str));
    if options.measures(What::Relay) {
        throughput::relay(options, &hosts, &mut report)?;
    }
    if options.measures(What::Stages) {
        throughput::stages(options, &hosts, &mut report)?;
    }
    if options.measures(What::Latency) {
        latency::measure(options, &hosts.host, &mut report)?;
    }
    if options.measures(What::Flows) {
        many::measure(options, &hosts.host, &mut report)?;
    }
    if options.measures(What::Memory) {
        memory::measure(options, &hosts.host, &mut report)?;
    }
    Ok(report)
}
