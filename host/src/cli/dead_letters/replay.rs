//! `tidegate dead-letters replay`: makes the call of a letter again, offline or through a host, or those of many.

use super::resend::{Destination, begin, resend};
use super::source::Source;
use super::{offline, replay_all};
use crate::cli::log;
use crate::cli::plugin::{TOKEN_FILE, encoded, shown_call};
use crate::cli::traffic::ChoiceFlags;
use crate::record::dead_letters::{Filter, Letter};
use crate::system::output::{note, print};
use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use std::path::PathBuf;
use std::process::ExitCode;

/// Run a letter through a component in the sandbox, with the chance of then, or send it to a running host again.
///
/// With --all, those that the flags choose and no replay has dealt with, one after another; Ctrl-C ends that between two
/// letters. What was sent is marked in the file, and `list` leaves it out. With --admin the host itself makes the calls
/// again, and publishes what comes of messages; replies to requests are in its answer alone, since their clients wait no
/// more. With --component too the host only tries that component: nothing is published, and the letter gets no mark.
///
/// Exit code 0 if it was answered, or all were sent; else 1.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("how").required(true).multiple(true).args(["component", "send", "admin"])))]
#[command(group(ArgGroup::new("which").required(true).args(["id", "all"])))]
pub(in crate::cli) struct Replay {
    /// The id of the request, as the list and the host's log have it
    #[arg(conflicts_with = "choice")]
    id: Option<String>,
    /// Send all letters that the flags choose and no replay has dealt with
    #[arg(long, conflicts_with = "component")]
    all: bool,
    #[command(flatten)]
    choice: ChoiceFlags,
    /// Letters a second at most
    #[arg(long, value_name = "N", default_value_t = 10, requires = "all", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    #[command(flatten)]
    source: Source,
    /// Run it through this component, without any host; with --admin in that host, which serves nobody with it
    #[arg(long, value_name = "FILE", conflicts_with = "send")]
    component: Option<PathBuf>,
    /// The host's configuration, for the plugin's limits and settings
    #[arg(long, value_name = "FILE", requires = "component", conflicts_with = "admin")]
    config: Option<PathBuf>,
    /// Send it to a running host again
    #[arg(long, conflicts_with = "admin")]
    send: bool,
    /// With --admin: also if a replay has sent this letter, or may have
    #[arg(long, requires = "admin", conflicts_with_all = ["all", "component"])]
    again: bool,
    #[command(flatten)]
    destination: Destination,
    /// Show the log of the call, the guest's own lines among it, filtered so: a level, or TARGET=LEVEL
    #[arg(long, value_name = "FILTER", env = "TIDEGATE_LOG")]
    log_filter: Option<log::Filter>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.send && self.source.is_capture() {
            let file = self.source.file.display();
            bail!(
                "{file} is a capture, in which nothing is marked as sent: `tidegate replay {file} --failed`, with --http, --push \
                 or --publish, sends what failed there; --component makes a call of it again"
            );
        }
        // What is sent to the HTTP surface never has the token of the admin surface.
        let given = std::env::var_os(TOKEN_FILE).filter(|name| !name.is_empty() && self.source.admin.is_some());
        let token_file = self.destination.token_file.clone().or_else(|| given.map(PathBuf::from));
        let token_file = token_file.as_deref();
        let Some(id) = &self.id else {
            let (limit, choice) = (self.choice.limit(), self.choice.choice());
            let summaries = self.source.list(token_file, &Filter { choice, ..Filter::default() }, limit)?;
            let run = replay_all::Run::new(self.rate, self.json, summaries)?;
            return match self.source.host(token_file) {
                Some(host) => run.through_host(&host),
                None => run.of_file(&self.source, &self.destination),
            };
        };
        if let Some(host) = self.source.host(token_file) {
            let (query, body) = match &self.component {
                Some(component) => {
                    let bytes = std::fs::read(component).with_context(|| format!("reading {}", component.display()));
                    ("with=component", bytes?)
                }
                None => (if self.again { "again=true" } else { "" }, Vec::new()),
            };
            let returned = host.send("POST", &format!("/dead-letters/{}/replay?{query}", encoded(id)), &body)?;
            let text = if self.json { serde_json::to_string_pretty(&returned)? + "\n" } else { shown_call(&returned) };
            print(text)?;
            return Ok(ExitCode::SUCCESS);
        }
        // Of several the newest: an id is of one call alone, but a file may have been put together.
        let Some(letter) = self.source.of(None, id)?.into_iter().rfind(Letter::is_call) else {
            bail!(
                "{id} is the id of replies that could not be sent; they have no call to make again, and only their client \
                 could be sent them: `tidegate dead-letters show {id} --raw` has their bytes"
            );
        };
        let result = match &self.component {
            Some(component) => offline::call(letter, component, self.config.as_deref(), self.log_filter)?,
            None => {
                let file = &self.source.file;
                if let Err(error) = begin(&letter, file) {
                    note(format_args!(
                        "note: {id} is not marked, so --all will send it again: {}: {error}",
                        file.display()
                    ));
                }
                resend(&letter, &self.destination, file).with_context(|| format!("replaying {id}"))?.outcome
            }
        };
        if self.json {
            print(serde_json::to_string_pretty(&result.json)? + "\n")?;
        } else {
            print(&result.text)?;
        }
        Ok(if result.answered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
