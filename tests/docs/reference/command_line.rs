//! The command line, as clap has it.

use super::source::cell;
use clap::{Arg, Command};
use std::fmt::Write;

const PREFACE: &str = "
## Command line

Without a subcommand `tidegate` runs the host. Flags win over the environment, which wins over the file; a variable that is set and
empty counts as unset. Every surface takes `none`, and port 0 is allowed everywhere; a host is an address of IPv4 or IPv6, or a
name, and `tcp://*` is every address of both. SIGHUP looks at all plugin files now; SIGINT and SIGTERM
[end the host](operating.md#ending-it).
";

pub fn section() -> String {
    let mut whole = tidegate::cli::command();
    whole.build();
    let mut text = PREFACE.to_owned();
    command(&whole, &mut text);
    text
}

fn command(command: &Command, text: &mut String) {
    let told = |argument: &&Arg| !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str());
    let arguments: Vec<&Arg> = command.get_arguments().filter(told).collect();
    let is_whole = command.get_bin_name().is_none_or(|name| !name.contains(' '));
    if !is_whole && command.get_subcommands().next().is_none() {
        let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
        // clap takes the full stop from the first paragraph.
        let about = about.replacen("\n\n", ". ", 1);
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        let about = cell(&about);
        write!(text, "\n### `{usage}`\n\n{}.\n", about.trim_end_matches('.')).unwrap();
    }
    if !arguments.is_empty() {
        text.push_str("\n| argument | environment | what |\n| --- | --- | --- |\n");
    }
    for argument in arguments {
        let variable = argument.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
        writeln!(text, "| `{}` | {variable} | {} |", cell(&argument.to_string()), what(argument)).unwrap();
    }
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        self::command(below, text);
    }
}

/// The help, with what it is when it is not given, and what it may be.
fn what(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let texts = |texts: Vec<String>| texts.into_iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
    let values = argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect::<Vec<_>>();
    let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let mut what = cell(&help);
    if argument.get_action().takes_values() && !values.is_empty() {
        write!(what, " (one of {})", texts(values)).unwrap();
    }
    let default = texts(defaults);
    if argument.get_action().takes_values() && !default.is_empty() {
        write!(what, " [default: {default}]").unwrap();
    }
    what
}
