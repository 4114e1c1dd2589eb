//! `tidegate plugin`: what a plugin's author needs, and whoever runs a host.

mod admin;
mod build;
mod call;
mod check;
mod list;
mod load;
mod pull;
mod push;
mod registry;
mod rollback;
mod sources;
mod test;

pub(super) use admin::printable;
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
    /// Show the plugins of a running host
    List(list::List),
    /// Load a component into a running host
    Load(load::Load),
    /// Have a running host go back to what served before
    Rollback(rollback::Rollback),
    /// Try a plugin of a running host on one input
    Call(call::Call),
    /// Put a component into a registry
    Push(push::Push),
    /// Get a component from a registry
    Pull(pull::Pull),
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Build(build) => build.run(),
            Self::Check(check) => check.run(),
            Self::Test(test) => test.run(),
            Self::List(list) => list.run(),
            Self::Load(load) => load.run(),
            Self::Rollback(rollback) => rollback.run(),
            Self::Call(call) => call.run(),
            Self::Push(push) => push.run(),
            Self::Pull(pull) => pull.run(),
        }
    }
}
