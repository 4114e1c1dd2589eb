//! Where letters come from: the host's file, or a running host, which is asked for them.

use crate::cli::plugin::{Admin, encoded};
use crate::config::Address;
use crate::record::choice::{Choice, Moment};
use crate::record::dead_letters::{Broken, DealtWith, Filter, Letter, Summary, letters, list};
use crate::record::traffic::{TrafficKind, failed_calls};
use crate::system::output::note;
use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Letters of one answer of a host.
const PAGE_LETTERS: usize = 500;

/// The flags that say where letters are.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The file that the host writes, dead_letters.file of its configuration; FILE.1, FILE.2, … are read too. Of a capture its
    /// failed calls
    #[arg(long, value_name = "FILE", default_value = "dead-letters.jsonl", conflicts_with = "admin")]
    pub(super) file: PathBuf,
    /// Ask a running host for its letters, at its admin address, rather than to read its file
    #[arg(long, value_name = "ADDR")]
    pub(super) admin: Option<Address>,
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

    /// Whether the file is a capture, whose failed calls stand for letters.
    pub(super) fn is_capture(&self) -> bool {
        self.admin.is_none() && matches!(TrafficKind::of(&self.file), Ok(TrafficKind::Capture))
    }

    /// What `filter` chooses, the oldest first, and no more than so many. What of the file is broken is told of and skipped.
    ///
    /// # Errors
    /// When there is no file, or it cannot be read; when no host answers, or it refuses; when those of a capture are wanted that
    /// were dealt with.
    pub(super) fn list(&self, token_file: Option<&Path>, filter: &Filter, limit: u64) -> anyhow::Result<Vec<Summary>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut summaries = Vec::new();
        let mut found = |letter: Summary| {
            if summaries.len() < limit {
                summaries.push(letter);
            }
        };
        match self.host(token_file) {
            None if self.is_capture() && filter.dealt_with == DealtWith::Only => {
                bail!("{} is a capture, in which nothing is marked as dealt with", self.file.display())
            }
            None if self.is_capture() => {
                self.each_failed(&filter.choice, |letter| {
                    if filter.has(&letter) {
                        found(Summary::from(&letter));
                    }
                })?;
            }
            None => list(&self.file, filter, tell, found)?,
            Some(host) => {
                let mut next = None;
                loop {
                    let answer = host.look(&format!("/dead-letters?{}", query(filter, next.as_deref())))?;
                    let part: Part =
                        serde_json::from_value(answer).context("the host's answer is no list of letters")?;
                    summaries.extend(part.letters);
                    next = part.next;
                    if next.is_none() || summaries.len() >= limit {
                        break;
                    }
                }
                summaries.truncate(limit);
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
    pub(super) fn each(&self, is_wanted: impl Fn(&str) -> bool, mut found: impl FnMut(Letter)) -> anyhow::Result<()> {
        if !self.is_capture() {
            return Ok(letters(&self.file, is_wanted, tell, found)?);
        }
        self.each_failed(&Choice::default(), |letter| {
            if is_wanted(&letter.id) {
                found(letter);
            }
        })
    }

    /// Hands on the failed calls of a capture that may be chosen.
    fn each_failed(&self, choice: &Choice, found: impl FnMut(Letter)) -> anyhow::Result<()> {
        for line in failed_calls(&self.file, choice, found)?.lines() {
            note(format_args!("{}: {line}", self.file.display()));
        }
        Ok(())
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
    // Every letter is of something that failed.
    let Choice { places, plugins, reasons, failed: _, topic, since, until } = &filter.choice;
    places.iter().for_each(|(kind, name)| add(kind.as_str(), name));
    for (key, values) in [("reason", reasons), ("plugin", plugins)] {
        values.iter().for_each(|value| add(key, value));
    }
    if !topic.is_empty() {
        add("topic", &String::from_utf8_lossy(topic));
    }
    for (key, moment) in [("since", since), ("until", until)] {
        moment.iter().for_each(|Moment(moment)| add(key, &moment.to_string()));
    }
    if let Some(cursor) = cursor {
        add("cursor", cursor);
    }
    query
}
