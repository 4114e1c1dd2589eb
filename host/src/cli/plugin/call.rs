//! `tidegate plugin call`: tries a component's file here, or a plugin of a running host, on one input; nothing is
//! published or sent.

mod component_file;
mod input;
mod running_host;
mod trace;

pub(in crate::cli) use input::Given;
pub(super) use input::pair;
pub(in crate::cli) use running_host::{call_of_steps, log as shown_log, show as shown_call};

use super::admin::Admin;
use super::admin::names::names_and_components;
use crate::config::pool_of;
use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use clap_complete::ArgValueCompleter;
use std::path::Path;
use std::process::ExitCode;

/// The flags of `plugin call`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Call {
    /// The component's file, which is what exists as one or ends in .wasm; or the name of a running host's plugin
    #[arg(value_name = "FILE|NAME", add = ArgValueCompleter::new(names_and_components))]
    callee: String,
    #[command(flatten)]
    given: Given,
    /// What to call it as [default: the first of these roles that it has]
    #[arg(long)]
    role: Option<Role>,
    /// The same as --role reply-policy
    #[arg(long, conflicts_with = "role")]
    policy: bool,
    /// With NAME: have its component carry the call as an example of this name, which every load tries from now on
    #[arg(long, value_name = "EXAMPLE")]
    save: Option<String>,
    #[command(flatten)]
    guest: component_file::GuestFlags,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    // What version 0.1.0 of the contract calls it.
    #[value(alias = "transform")]
    Processor,
    ReplyPolicy,
    HttpHandler,
}

impl Call {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { callee, given, guest, save, admin, .. } = self;
        let role = if self.policy { Some(Role::ReplyPolicy) } else { self.role.or_else(|| given.role()) };
        let path = Path::new(&callee);
        if path.is_dir() {
            bail!("{callee} is a folder: build it with `tidegate plugin build {callee}`, and call the component");
        }
        if path.is_file() || callee.ends_with(".wasm") {
            ensure!(
                save.is_none(),
                "--save is for a plugin of a running host: put the example into the examples.toml of {callee}'s sources"
            );
            return component_file::call(path, role, given, guest, admin.json());
        }
        ensure!(
            pool_of(&callee).is_none(),
            "{callee} is a pool of workers, and no plugin: send a request by a route that leads through it"
        );
        crate::config::check_name(&callee).map_err(anyhow::Error::msg)?;
        ensure!(
            guest.are_default(),
            "--setting, --limit, --seed and --trace are for a component's file, and {callee} is the name of a plugin: its host \
             decides on them"
        );
        running_host::call(&callee, role, given, save.as_deref(), &admin)?;
        Ok(ExitCode::SUCCESS)
    }
}
