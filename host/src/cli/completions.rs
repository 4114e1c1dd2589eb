//! `tidegate completions`: what a shell needs to complete our command line, by asking this program at each key.

use super::NAME;
use crate::system::exit_code;
use crate::system::output::print;
use anyhow::Context;
use clap::Command;
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};
use std::process::ExitCode;

/// Set by the shell's script when it asks.
const VARIABLE: &str = "TIDEGATE_COMPLETE";

/// Write what the shell needs to complete `tidegate`, to stdout.
///
/// The script asks `tidegate` itself, which also knows the plugins of a running host: that of --admin, or of
/// TIDEGATE_ADMIN. It belongs to this version; write it anew with the next one, or have the shell's start read it with
/// `source <(tidegate completions bash)`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell; for bash the output belongs into ~/.local/share/bash-completion/completions/tidegate
    shell: Shell,
}

/// Writes the script.
///
/// # Errors
/// When stdout does not take the script.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).with_context(|| format!("no completions for {name}"))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script).context("writing the script")?;
    print(script)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers the shell's script, if that is who started this process.
pub(super) fn answer() -> Option<ExitCode> {
    let directory = std::env::current_dir().ok();
    let completing = CompleteEnv::with_factory(visible_command).var(VARIABLE);
    match completing.try_complete(std::env::args_os(), directory.as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        // At a key there is no place to tell why.
        Err(_) => Some(ExitCode::from(exit_code::FAILURE)),
    }
}

/// Without what is hidden, which shells would offer all the same.
fn visible_command() -> Command {
    let whole = super::command();
    let visible = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new(NAME).version("").args(whole.get_arguments().cloned()).subcommands(visible)
}
