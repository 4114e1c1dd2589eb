//! `tidegate flow`: what whoever writes flows needs, and whoever runs a host.

mod apply;
mod call;
mod command;
mod list;
pub(super) mod offline;
mod shadow;
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
    /// Try a flow, or a route, of a running host on one message
    ///
    /// All its steps process the message, each plugin with its log lines and its time; nothing goes to a sink, and no dead
    /// letter is written. A pool of workers on the way gets the message as any other.
    Call(Box<call::Call>),
    /// Show the flows of a running host
    List(list::List),
    /// Have a flow of a running host take in nothing until it is resumed
    ///
    /// What it has taken in goes on. Messages wait at their senders, but those of a SUB are dropped and counted.
    Pause(command::Named),
    /// Have a flow take in messages again, and go on with one that it stopped at
    Resume(command::Named),
    /// Have a flow take in nothing, and finish what it has taken in
    ///
    /// It is drained once that is done, which `flow list` shows; resumed, it takes in messages again.
    Drain(command::Named),
    /// Have a running host lead messages through other plugins too, beside those of a flow
    ///
    /// What a flow takes in is led through both chains once more, behind all traffic, with the same random numbers and clocks,
    /// and what comes out is compared. Nothing of it goes to a sink. `shadow promote` has the flow lead through the others.
    Shadow(Box<shadow::Shadow>),
    /// Have a running host run the sockets, flows and routes of a configuration
    ///
    /// They take the place of all that run; a configuration with a mistake changes nothing. The host's own file stays as
    /// it is, and the next SIGHUP or start reads that.
    Apply(apply::Apply),
}

impl Flow {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Test(test) => test.run(),
            Self::Call(call) => call.run(),
            Self::List(list) => list.run(),
            Self::Pause(named) => named.run("pause"),
            Self::Resume(named) => named.run("resume"),
            Self::Drain(named) => named.run("drain"),
            Self::Shadow(shadow) => shadow.run(),
            Self::Apply(apply) => apply.run(),
        }
    }
}
