//! `tidegate plugin`: what a plugin's author needs.

mod build;
mod check;
mod sources;
mod test;

pub use sources::{embedded_digest, source_digest};

use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Build a guest crate into a component
    Build(build::Build),
    /// Show what a component is, or why the host would refuse it
    Check(check::Check),
    /// Try a component on its examples
    Test(test::Test),
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Build(build) => build.run(),
            Self::Check(check) => check.run(),
            Self::Test(test) => test.run(),
        }
    }
}
