//! What every comparison can be told.

use crate::report::Report;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// The options that the comparisons have in common.
#[derive(Args, Clone)]
pub struct Options {
    /// The binary to measure [default: cargo build --release -p host]
    #[arg(long, value_name = "PATH")]
    pub host: Option<PathBuf>,
    /// One short round: whether it works, not what it measures
    #[arg(long)]
    pub quick: bool,
    /// Rounds, in each of which every contender has its turn [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// How long each measure of a round takes [default: 4]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// Write JSON instead of tables
    #[arg(long)]
    pub json: bool,
    /// Draw the figures as well
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// End with 3 if a target is missed
    #[arg(long)]
    pub judge: bool,
}

impl Options {
    /// Prints what a comparison found, and says whether it is good enough.
    pub fn finish(&self, report: Result<Report>) -> Result<bool> {
        let report = report?;
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&report)?),
            false => report.print(),
        }
        Ok(!self.judge || self.quick || report.is_met())
    }

    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    pub fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(if self.quick { 1 } else { 4 })
    }
}
