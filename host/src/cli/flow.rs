//! `tidegate flow`: what whoever writes flows needs.

mod test;

use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Flow {
    /// Try the flows of a configuration on their examples
    ///
    /// Each flow runs with its own plugins in sandboxes of this process, without a host and without sockets: what the
    /// examples say goes in, and what comes out is compared. Exit code 0 if all examples passed; else 1.
    Test(test::Test),
}

impl Flow {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Test(test) => test.run(),
        }
    }
}
