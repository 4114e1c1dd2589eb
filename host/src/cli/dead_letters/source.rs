//! Where letters come from: the host's file, or a running host, which is asked for them.

use crate::cli::plugin::Admin;
use crate::config::Address;
use crate::record::choice::{self as record, Moment, PlaceKind};
use crate::record::dead_letters::{Broken, DealtWith, Filter, Letter, Summary, letters, list};
use crate::system::output::note;
use anyhow::{Context, bail};
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Letters of one answer of a host.
const PAGE_LETTERS: usize = 500;

/// The flags that say where letters are.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The file that the host writes, dead_letters.file of its configuration; FILE.1, FILE.2, … are read too
    #[arg(long, value_name = "FILE", default_value = "dead-letters.jsonl", conflicts_with = "admin")]
    pub(super) file: PathBuf,
    /// Ask a running host for its letters, at its admin address, rather than to read its file
    #[arg(long, value_name = "ADDR")]
    pub(super) admin: Option<Address>,
}

/// The flags that choose among letters.
#[derive(Clone, Debug, Args)]
pub(super) struct Choice {
    /// Only letters with this reason; repeatable
    #[arg(long = "reason", value_name = "REASON")]
    reasons: Vec<String>,
    /// Only letters for the plugin of this name; repeatable
    #[arg(long = "route", value_name = "NAME")]
    routes: Vec<String>,
    /// Only letters of calls that this plugin failed; repeatable
    #[arg(long = "plugin", value_name = "NAME")]
    plugins: Vec<String>,
    /// Only letters since a time, as 2026-11-24T08:52:40Z, or of so long ago at most, as 10m or 2h
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
}

impl Choice {
    pub(super) fn filter(self, dealt_with: DealtWith) -> Filter {
        let Self { reasons, routes, plugins, since } = self;
        let places = routes.into_iter().map(|route| (PlaceKind::Route, route)).collect();
        Filter { choice: record::Choice { places, plugins, reasons, since, ..record::Choice::default() }, dealt_with }
    }
}

/// A part of a list, as a host answers it.
#[derive(Deserialize)]
struct Part {
    letters: Vec<Summary>,
    next: Option<String>,
}

impl Source {
    /// The host to ask; none where the file is read.
    pub(super) fn host(&self, token_file: Option<&Path>) -> Option<Admin> {
        self.admin.map(|admin| Admin::at(admin, token_file.map(Path::to_owned)))
    }

    /// What `filter` chooses, the oldest first. A broken line of the file is told of and skipped.
    ///
    /// # Errors
    /// When there is no file, or it cannot be read; when no host answers, or it refuses.
    pub(super) fn list(&self, token_file: Option<&Path>, filter: &Filter) -> anyhow::Result<Vec<Summary>> {
        let mut summaries = Vec::new();
        match self.host(token_file) {
            None => list(&self.file, filter, tell, |letter| summaries.push(letter))?,
            Some(host) => {
                let mut next = None;
                loop {
                    let answer = host.look(&format!("/dead-letters?{}", query(filter, next.as_deref())))?;
                    let part: Part =
                        serde_json::from_value(answer).context("the host's answer is no list of letters")?;
                    summaries.extend(part.letters);
                    next = part.next;
                    if next.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(summaries)
    }

    /// The letters of one request: the one of its call, or those of its replies.
    ///
    /// # Errors
    /// As [`Self::list`], and when there is none.
    pub(super) fn of(&self, token_file: Option<&Path>, id: &str) -> anyhow::Result<Vec<Letter>> {
        let mut found = Vec::new();
        match self.host(token_file) {
            Some(host) => {
                let answer = host.look(&format!("/dead-letters/{}", encoded(id)))?;
                found = serde_json::from_value(answer).context("the host's answer is no list of letters")?;
            }
            None => {
                self.each(|wanted| wanted == id, |letter| found.push(letter))?;
                if found.is_empty() {
                    bail!(
                        "no letter of {} has the id {id}: `tidegate dead-letters list` shows those there are",
                        self.file.display()
                    );
                }
            }
        }
        Ok(found)
    }

    /// Hands on the letters of the file with these ids, the oldest first.
    ///
    /// # Errors
    /// When there is no file, or it cannot be read.
    pub(super) fn each(&self, is_wanted: impl Fn(&str) -> bool, found: impl FnMut(Letter)) -> std::io::Result<()> {
        letters(&self.file, is_wanted, tell, found)
    }
}

fn tell(broken: Broken) {
    note(format_args!("{broken}; skipped"));
}

/// What makes a host choose as this filter does.
fn query(filter: &Filter, cursor: Option<&str>) -> String {
    let dealt_with = match filter.dealt_with {
        DealtWith::No => "no",
        DealtWith::Only => "only",
        DealtWith::All => "all",
    };
    let mut query = format!("limit={PAGE_LETTERS}&dealt_with={dealt_with}");
    let mut add = |key: &str, value: &str| query += &format!("&{key}={}", encoded(value));
    let record::Choice { places, plugins, reasons, since, .. } = &filter.choice;
    places.iter().for_each(|(kind, name)| add(kind.as_str(), name));
    for (key, values) in [("reason", reasons), ("plugin", plugins)] {
        values.iter().for_each(|value| add(key, value));
    }
    if let Some(Moment(since)) = since {
        add("since", &since.to_string());
    }
    if let Some(cursor) = cursor {
        add("cursor", cursor);
    }
    query
}

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
