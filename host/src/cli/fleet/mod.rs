//! `tidegate fleet`: many running hosts, side by side, and changes of a plugin on one after the other.

mod compare;
mod hosts;
mod load;
mod rollback;
mod rollout;
mod status;
mod told;
mod view;

use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Fleet {
    /// Show hosts side by side: versions, plugins, flows, and what was dropped
    ///
    /// All are asked at the same time. What a host has otherwise than most is marked with ≠. Exit code 0 if all are the same
    /// and ready, 1 if one differs or is not ready, 5 if one gives no answer.
    Status(status::Status),
    /// Load a component into one host after the other
    ///
    /// Before anything is changed all hosts are looked at. After each it is waited until it serves the component, is as ready as
    /// it was, and no call of the plugin has failed for as long as --watch says. The first that refuses or is not well ends it: those
    /// before it go back to the digests that they served. Exit code 0 if all serve it, 1 if all are as they were, 5 if nothing
    /// was changed since a host gives no answer, 6 if not all are as they were, 130 after Ctrl-C.
    Load(load::Load),
    /// Have one host after the other go back to what served before
    ///
    /// It goes on and back as `fleet load` does, with the same exit codes.
    Rollback(rollback::Rollback),
}

impl Fleet {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Status(status) => status.run(),
            Self::Load(load) => load.run(),
            Self::Rollback(rollback) => rollback.run(),
        }
    }
}
