//! The options of every comparison.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The options that the comparisons have in common.
#[derive(Args, Clone)]
pub struct Options {
    /// The binary to measure [default: cargo build --release -p host]
    #[arg(long, value_name = "PATH")]
    pub host: Option<PathBuf>,
    /// The same with the logic compiled in [default: built as well; with --host: left out]
    #[arg(long, value_name = "PATH")]
    pub compiled_in: Option<PathBuf>,
    /// The interpreter for contenders in Python
    #[arg(long, value_name = "PATH", default_value = "python3")]
    pub python: PathBuf,
    /// The wasmtime that is a contender
    #[arg(long, value_name = "PATH", default_value = "wasmtime")]
    pub wasmtime: PathBuf,
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

/// The options of a comparison of several parts.
#[derive(Args)]
pub struct OfParts<P: ValueEnum + Send + Sync + 'static> {
    #[command(flatten)]
    pub common: Options,
    /// Only this part
    #[arg(long, value_name = "WHAT")]
    only: Option<P>,
}

impl<P: ValueEnum + PartialEq + Send + Sync + 'static> OfParts<P> {
    /// All parts.
    pub fn all(common: Options) -> Self {
        Self { common, only: None }
    }

    pub fn measures(&self, part: &P) -> bool {
        self.only.as_ref().is_none_or(|only| only == part)
    }
}

impl Options {
    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    pub fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(if self.quick { 1 } else { 4 })
    }
}
