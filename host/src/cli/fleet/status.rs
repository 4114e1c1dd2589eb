//! `tidegate fleet status`: hosts side by side.

use super::hosts::{Hosts, ask_all};
use super::told::Told;
use super::view::View;
use crate::system::exit_code;
use crate::system::output::print;
use clap::Args;
use std::process::ExitCode;

/// The flags of `fleet status`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    hosts: Hosts,
}

impl Status {
    /// Shows them.
    ///
    /// # Errors
    /// When it cannot be said which hosts, or stdout does not take it.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let hosts = self.hosts.find()?;
        let told = ask_all(&hosts, Told::ask);
        let names: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
        let view = View::new(&names, &told);
        print(if self.hosts.json { serde_json::to_string_pretty(&view.json())? + "\n" } else { view.text() })?;
        Ok(ExitCode::from(match (view.all_answered(), view.are_same_and_ready()) {
            (false, _) => exit_code::UNREACHABLE,
            (true, false) => exit_code::FAILURE,
            (true, true) => exit_code::SUCCESS,
        }))
    }
}
