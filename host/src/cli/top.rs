//! `tidegate top`: the plugins, hops, flows, workers, peers, shadows and captures of a running host, again and again, in columns.

mod feed;
mod figures;
mod lines;
mod screen;
mod view;

use self::feed::Feed;
use self::figures::{Figures, column_keys};
use super::plugin::Admin;
use crate::cli::output::redraws;
use crate::config::timeout;
use crate::system::interrupt::Interrupt;
use crate::system::output::{note, try_print, unless_unread};
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::io::{ErrorKind, stdout};
use std::process::ExitCode;
use std::time::Duration;

/// Watch a running host: its plugins, hops, flows, workers, peers, shadows and captures, with how much they do a second.
///
/// On a terminal a screen that q leaves: the keys are shown below. With --once one look of a second as tables, for people and
/// scripts; with --json each look as JSON on a line.
#[derive(Debug, Args)]
pub(super) struct Top {
    /// Sort by this column, of the tables that have it: one of the names that --json shows
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// Look once, and end
    #[arg(long)]
    once: bool,
    /// How much time is between two looks, from 1s
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,
    #[command(flatten)]
    admin: Admin,
}

fn interval(text: &str) -> Result<Duration, String> {
    let too_short = || format!("`{text}` is less than 1s, which is how often a host tells what has changed");
    timeout(text).and_then(|time| Some(time).filter(|time| *time >= Duration::from_secs(1)).ok_or_else(too_short))
}

impl Top {
    /// Shows what the host does until the user wants an end, or once.
    ///
    /// # Errors
    /// When no host answers, it refuses, there is no such column, or neither a terminal nor a reader for what is shown.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let keys = column_keys();
        if let Some(column) = self.sort.as_deref().filter(|column| !keys.contains(column)) {
            bail!("no table has a column `{column}`: sort by one of {}", Vec::from_iter(keys).join(", "));
        }
        let interrupt = Interrupt::listen_with_terminal().context("listening to signals")?;
        let feed = Feed::start(&self.admin, self.interval)?;
        if self.once || self.admin.json() {
            self.print_all(&feed, &interrupt)?;
        } else if redraws(stdout()) {
            screen::run(&feed, &interrupt, self.sort.as_deref())?;
        } else {
            bail!("stdout is no terminal: use --once for tables, or --json for programs");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints each look, or the first.
    fn print_all(&self, feed: &Feed, interrupt: &Interrupt) -> anyhow::Result<()> {
        let mut told = String::new();
        while !interrupt.comes_within(Duration::ZERO) {
            let Some(seen) = feed.next_within(screen::LOOK) else { continue };
            // A host that is away is waited for, unless one look is all that is wanted.
            let seen = match seen {
                Ok(seen) => seen,
                Err(error) if self.once => bail!("{error}"),
                Err(error) => {
                    if error != told {
                        note(format_args!("{error}; waiting for it"));
                        told = error;
                    }
                    continue;
                }
            };
            told.clear();
            let Some(earlier) = &seen.earlier else { continue };
            let mut figures = Figures::new(&seen.now, Some(earlier));
            figures.sort_all(self.sort.as_deref());
            let text = if self.admin.json() { format!("{}\n", figures.json()) } else { lines::all(&figures) };
            if let Err(error) = try_print(text) {
                let is_unread = error.kind() == ErrorKind::BrokenPipe;
                return if is_unread { Ok(()) } else { unless_unread(Err(error)) };
            }
            if self.once {
                return Ok(());
            }
        }
        ensure!(!self.once, "ended before there was a look, which takes a second");
        Ok(())
    }
}
