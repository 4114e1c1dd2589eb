//! `tidegate ledger --watch`: what has changed since a second ago, until the user wants an end.

use super::rows::{lines, rates};
use crate::cli::output::redraws;
use crate::cli::output::render::printable;
use crate::cli::plugin::{Admin, text};
use crate::system::interrupt::Interrupt;
use crate::system::output::{note, try_print, unless_unread};
use anyhow::{Context, anyhow};
use serde_json::Value;
use std::io::ErrorKind;
use std::time::Duration;
use terminal_size::{Height, Width, terminal_size_of};

const INTERVAL: Duration = Duration::from_secs(1);
/// To the upper left corner, with all below it gone.
const HOME: &str = "\x1b[H\x1b[J";

/// Asks every second. A host that is away or was started anew is told of, and waited for.
///
/// # Errors
/// When there is no host to begin with, it refuses, or stdout cannot be written to.
pub(super) fn run(admin: &Admin) -> anyhow::Result<()> {
    let interrupt = Interrupt::listen().context("listening to signals")?;
    let mut mark = Some(begin(admin)?);
    while !interrupt.comes_within(INTERVAL) {
        let asked = match &mark {
            Some(since) => ask(admin, since),
            None => begin(admin).map(|new| {
                mark = Some(new);
                None
            }),
        };
        match asked {
            Ok(Some(difference)) => {
                mark = Some(text(&difference, "mark").to_owned());
                if let Err(error) = try_print(shown(&difference, admin.json())) {
                    let is_unread = error.kind() == ErrorKind::BrokenPipe;
                    return if is_unread { Ok(()) } else { unless_unread(Err(error)) };
                }
            }
            Ok(None) => {}
            Err(error) => {
                // Once, and not at every look.
                if mark.take().is_some() {
                    note(format_args!("{error:#}; waiting for it"));
                }
            }
        }
    }
    Ok(())
}

/// The mark to begin with.
fn begin(admin: &Admin) -> anyhow::Result<String> {
    Ok(text(&admin.look("/ledger")?, "mark").to_owned())
}

/// What has changed since the mark.
fn ask(admin: &Admin, since: &str) -> anyhow::Result<Option<Value>> {
    let (success, answer) = admin.ask("GET", &format!("/ledger?since={since}"), &[])?;
    if success { Ok(Some(answer)) } else { Err(anyhow!("{}", printable(text(&answer, "detail")))) }
}

fn shown(difference: &Value, json: bool) -> String {
    if json {
        return format!("{difference}\n");
    }
    let time = format!("{:.0}", jiff::Timestamp::now());
    if !redraws(std::io::stdout()) {
        return lines(difference, &time);
    }
    // A pseudo-terminal that nobody has sized has no size.
    let size = terminal_size_of(std::io::stdout());
    let size = size.map_or((80, 24), |(Width(columns), Height(rows))| (columns.into(), rows.into()));
    HOME.to_owned() + &fitted(&format!("{time}  Ctrl-C ends\n{}", rates(difference)), size)
}

/// As much of the text as a terminal of so many columns and rows shows without a line that is broken or scrolled away.
fn fitted(text: &str, (columns, rows): (usize, usize)) -> String {
    let lines = text.lines().take(rows.saturating_sub(1).max(1));
    lines.map(|line| line.chars().take(columns).chain(['\n']).collect::<String>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_terminal_shows_the_beginning_of_the_first_lines() {
        assert_eq!(fitted("abcdef\ngh\nij\n", (4, 3)), "abcd\ngh\n");
        assert_eq!(fitted("abc\ndef\n", (2, 1)), "ab\n");
    }
}
