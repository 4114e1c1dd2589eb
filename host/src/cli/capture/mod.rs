//! `tidegate capture`: writes down what goes through a running host, and reads it again.

mod cat;
mod list;
mod place;
mod start;
mod stop;

use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Capture {
    /// Have a running host write down what its plugins are asked and answer
    ///
    /// The file is on the host's machine, in its capture.directory, for its user alone. It opens in every tool for MCAP.
    /// Without a limit of its own a capture ends with capture.bytes_max, or when it is stopped. It is never in the way of
    /// traffic: what it cannot take is counted in the ledger.
    Start(start::Start),
    /// End a capture, whose file is whole then
    Stop(stop::Stop),
    /// Show the captures of a running host, and the last that have ended
    List(list::List),
    /// Print a capture or dead letters, without a host
    ///
    /// A file whose host was killed is read as far as it goes, and what is cut off is told on stderr.
    Cat(cat::Cat),
}

impl Capture {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Start(start) => start.run(),
            Self::Stop(stop) => stop.run(),
            Self::List(list) => list.run(),
            Self::Cat(cat) => cat.run(),
        }
    }
}
