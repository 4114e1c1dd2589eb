//! The timeline of a plugin: the last things that happened to what serves under its name, each with its reason.

use crate::config::{TIMELINE_ENTRIES_MAX, TIMELINE_TEXT_BYTES_MAX};
use crate::flow::ServedBy;
use crate::plugin::run::plugin_state::shortened;
use serde::Serialize;
use std::collections::VecDeque;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// A component went into service.
    Loaded,
    /// What served goes on under other bounds or settings.
    Configured,
    /// A component did not go into service.
    Refused,
    /// An earlier generation went into service again.
    RolledBack,
    /// The plugin is not called.
    Paused,
    /// It is called again.
    Resumed,
}

/// Who or what had it happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HappenedBy {
    /// Somebody asked for it.
    Operator,
    /// It was found where the plugin is loaded from.
    Source,
    /// The plugin's own calls.
    Calls,
}

/// One thing that happened, or several like it in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimelineEntry {
    /// When, as RFC 3339 has it; of several the last time.
    pub time: String,
    /// How often in a row.
    pub times: u64,
    /// What happened.
    pub what: Happening,
    /// Who or what had it happen.
    pub by: HappenedBy,
    /// The generation that it happened to, or that came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Of a rollback: the generation that served before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Of a rollback: the generation that was gone back to. It serves again as the new `generation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// SHA-256 of the component, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The stage that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<&'static str>,
    /// Why, for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl HappenedBy {
    /// Who has a component loaded, which somebody `asked` for or nobody.
    pub(super) fn of_load(asked: bool) -> Self {
        if asked { Self::Operator } else { Self::Source }
    }
}

/// The last entries, the oldest first.
#[derive(Default)]
pub(super) struct Timeline(VecDeque<TimelineEntry>);

impl TimelineEntry {
    pub(super) fn new(what: Happening, by: HappenedBy) -> Self {
        let time = format!("{:.3}", jiff::Timestamp::now());
        let (generation, from, to, digest, stage, reason) = Default::default();
        Self { time, times: 1, what, by, generation, from, to, digest, stage, reason }
    }

    pub(super) fn of_rollback(by: HappenedBy, from: u64, to: u64) -> Self {
        Self { from: Some(from), to: Some(to), ..Self::new(Happening::RolledBack, by) }
    }

    pub(super) fn of(self, served_by: &ServedBy) -> Self {
        Self { generation: Some(served_by.generation), digest: Some(served_by.digest.clone()), ..self }
    }

    pub(super) fn because(self, reason: &str) -> Self {
        Self { reason: Some(shortened(reason, TIMELINE_TEXT_BYTES_MAX).to_owned()), ..self }
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.what, self.by, self.generation, self.stage) == (other.what, other.by, other.generation, other.stage)
            && self.digest == other.digest
            && self.reason == other.reason
    }
}

impl Timeline {
    /// Adds an entry. One like the newest is counted there: a registry that cannot be reached must not push out all else.
    pub(super) fn note(&mut self, entry: TimelineEntry) {
        match self.0.back_mut().filter(|newest| newest.is_like(&entry)) {
            Some(newest) => {
                newest.times += 1;
                newest.time = entry.time;
            }
            None => {
                while self.0.len() >= TIMELINE_ENTRIES_MAX {
                    self.0.pop_front();
                }
                self.0.push_back(entry);
            }
        }
    }

    pub(super) fn entries(&self) -> Vec<TimelineEntry> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: &str) -> TimelineEntry {
        TimelineEntry::new(Happening::Refused, HappenedBy::Source).because(reason)
    }

    #[test]
    fn the_last_entries_are_kept() {
        let mut timeline = Timeline::default();
        for number in 0..TIMELINE_ENTRIES_MAX + 3 {
            timeline.note(refused(&number.to_string()));
        }
        let reasons: Vec<_> = timeline.entries().into_iter().filter_map(|entry| entry.reason).collect();
        let expected: Vec<_> = (3..TIMELINE_ENTRIES_MAX + 3).map(|number| number.to_string()).collect();
        assert_eq!(reasons, expected);
    }

    #[test]
    fn what_happens_again_and_again_is_one_entry() {
        let mut timeline = Timeline::default();
        for reason in ["a", "a", "a", "b", "a"] {
            timeline.note(refused(reason));
        }
        let times: Vec<_> = timeline.entries().iter().map(|entry| entry.times).collect();
        assert_eq!(times, [3, 1, 1]);
    }

    #[test]
    fn a_reason_has_a_bound() {
        let entry = refused(&"é".repeat(TIMELINE_TEXT_BYTES_MAX));
        assert!(entry.reason.is_some_and(|reason| reason.len() <= TIMELINE_TEXT_BYTES_MAX));
    }
}
