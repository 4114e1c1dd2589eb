//! `tidegate completions`: what a shell needs to complete our command line.

use super::NAME;
use crate::system::output::print;
use clap::Command;
use clap_complete::Shell;
use std::process::ExitCode;

/// Write what the shell needs to complete `tidegate`, to stdout.
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
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut visible_command(), NAME, &mut script);
    print(script)?;
    Ok(ExitCode::SUCCESS)
}

/// Without what is hidden, which shells would offer all the same.
fn visible_command() -> Command {
    let whole = super::command();
    let visible = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new(NAME).version("").args(whole.get_arguments().cloned()).subcommands(visible)
}
