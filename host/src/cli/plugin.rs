//! `tidegate plugin`: what a plugin's author needs, and whoever runs a host.

mod admin;
mod bounds;
mod build;
mod call;
mod changes;
mod check;
mod dev;
mod diff;
mod new;
mod registry;
pub(super) mod shadow;
mod source_folder;
mod sources;
mod test;
mod workbench;

pub(super) use admin::{Admin, Client, TOKEN_FILE, encoded, flow_names, items, plugin_names, refusal, short, text};
pub(super) use call::{Given, call_of_steps, shown_call, shown_log};
pub use sources::{embedded_digest, source_digest};

use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Make a folder for a new plugin
    New(new::New),
    /// Build a guest into a component
    Build(build::Build),
    /// Show what a component is, or why the host would refuse it
    Check(check::Check),
    /// Try a component on its examples
    Test(test::Test),
    /// Build, try and swap a guest on every save
    ///
    /// Without --host it is swapped into a host of its own, which starts once the guest has passed its examples for the
    /// first time. What does not build, is refused or misses an example changes nothing: what served goes on. The
    /// component goes from a temporary file into the host and is kept nowhere; `plugin build` writes it. Ctrl-C ends.
    Dev(dev::Dev),
    /// Compare what two components make of captured traffic
    ///
    /// Each call in FILE is made again of both, with the random numbers of then and with clocks that tell the same, so what
    /// differs differs by their code alone. Nothing is published or sent, and no other host can be reached. What differs is
    /// grouped, with the first inputs of each group. Exit code 0, or 1 if more differs than --max-diff allows.
    Diff(Box<diff::Diff>),
    /// Have a running host call a newcomer beside a plugin, on what that is called on
    ///
    /// Its calls are made once those of the plugin have ended, behind all traffic, and what they come to is compared and
    /// shown by `shadow status`. It answers nobody, reaches no other host, and takes nothing out of service. `shadow promote`
    /// has it serve if no more differs than --max-diff allows; with --auto it does so by itself.
    Shadow(Box<shadow::Shadow>),
    /// Show the plugins of a running host
    List(admin::list::List),
    /// Load a component into a running host
    Load(admin::load::Load),
    /// Have a running host go back to what served before
    Rollback(admin::rollback::Rollback),
    /// Have a running host call a plugin no more until it is resumed
    ///
    /// Requests of HTTP are answered 503 meanwhile, flows wait, and requests of the frontend are dropped if it is their policy:
    /// the host is not ready then. It ends with `plugin resume`, with another generation (a load or a rollback), and with the
    /// host.
    Pause(admin::pause::Pause),
    /// Have a running host call a plugin again
    ///
    /// Whoever paused it: the operator, or the host because it kept failing.
    Resume(admin::pause::Pause),
    /// Have a running host serve a plugin no more
    ///
    /// Its route is gone, and calls that run end on it. Its file is not removed: it is left alone until it changes, it
    /// is loaded again with `plugin load`, or the host starts anew.
    Unload(admin::unload::Unload),
    /// Try a component, or a plugin of a running host, on one input
    ///
    /// FILE is loaded into a sandbox of this process, without any host: its answer goes to stdout as it is, what it
    /// took to stderr. NAME is asked of a running host. Nothing is published or sent. Exit code 0 if there was an
    /// answer, or none since the message was filtered; else 1.
    Call(Box<call::Call>),
    /// Put a component into a registry
    Push(registry::push::Push),
    /// Get a component from a registry
    Pull(registry::pull::Pull),
}

impl Plugin {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::New(new) => new.run(),
            Self::Build(build) => build.run(),
            Self::Check(check) => check.run(),
            Self::Test(test) => test.run(),
            Self::Dev(dev) => dev.run(),
            Self::Diff(diff) => diff.run(),
            Self::Shadow(shadow) => shadow.run(),
            Self::List(list) => list.run(),
            Self::Load(load) => load.run(),
            Self::Rollback(rollback) => rollback.run(),
            Self::Pause(pause) => pause.run("pause"),
            Self::Resume(resume) => resume.run("resume"),
            Self::Unload(unload) => unload.run(),
            Self::Call(call) => call.run(),
            Self::Push(push) => push.run(),
            Self::Pull(pull) => pull.run(),
        }
    }
}
