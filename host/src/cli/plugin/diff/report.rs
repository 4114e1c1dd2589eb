//! The report of a comparison, for people and for programs.

use crate::cli::output::render::one_line;
use crate::cli::output::table::table;
use crate::flow::Message;
use crate::plugin::Plugin;
use crate::record::compare::{Comparison, Counts, Group};
use crate::record::dead_letters::Base64;
use crate::rehearsal::{Compared, Cost, Skip};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// How much of a digest is shown.
const DIGEST_LETTERS: usize = 12;

/// All that is known when the comparison is over.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) plugin: String,
    /// The file that the inputs are of.
    pub(super) inputs: String,
    pub(super) compared: u64,
    pub(super) differing: u64,
    pub(super) counts: Counts,
    pub(super) skipped: BTreeMap<&'static str, u64>,
    pub(super) groups: Vec<ReportedGroup>,
    /// Differences of groups beyond as many as are kept.
    pub(super) other_differences: u64,
    pub(super) old: Side,
    pub(super) new: Side,
}

/// A group of differences.
#[derive(Serialize)]
pub(super) struct ReportedGroup {
    pub(super) group: Group,
    pub(super) inputs: u64,
    pub(super) examples: Vec<ReportedExample>,
}

#[derive(Serialize)]
pub(super) struct ReportedExample {
    pub(super) number: u64,
    pub(super) old: String,
    pub(super) new: String,
    /// None if it is large.
    pub(super) input: Option<ReportedInput>,
}

#[derive(Serialize)]
pub(super) struct ReportedInput {
    pub(super) metadata: Vec<(String, String)>,
    pub(super) frames_base64: Vec<Base64>,
}

/// One of the two components, and what its calls took.
#[derive(Serialize)]
pub(super) struct Side {
    pub(super) file: String,
    pub(super) digest: String,
    pub(super) calls: u64,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    pub(super) memory_bytes: usize,
}

impl Side {
    pub(super) fn new(file: &Path, plugin: &Plugin, cost: &Cost) -> Self {
        let us = |percent| cost.durations.percentile(percent).map(|time| time.as_nanos() as f64 / 1_000.0);
        Self {
            file: file.display().to_string(),
            digest: plugin.digest().to_string(),
            calls: cost.durations.calls(),
            p50_us: us(50),
            p99_us: us(99),
            memory_bytes: cost.memory_bytes,
        }
    }

    /// Its cells: time and memory as people read them.
    pub(super) fn cells(&self, name: &str) -> [String; 7] {
        let us = |us: Option<f64>| us.map_or("-".to_owned(), |us| format!("{us:.1} µs"));
        [
            name.to_owned(),
            self.calls.to_string(),
            us(self.p50_us),
            us(self.p99_us),
            format!("{} KiB", self.memory_bytes.div_ceil(1024)),
            self.digest.chars().take(DIGEST_LETTERS).collect(),
            one_line(&self.file),
        ]
    }
}

/// The heads above [`Side::cells`].
pub(super) const SIDE_HEADS: [&str; 7] = ["COMPONENT", "CALLS", "P50", "P99", "MEMORY", "DIGEST", "FILE"];

impl Report {
    pub(super) fn new(plugin: String, inputs: &Path, compared: &Compared, old: Side, new: Side) -> Self {
        let Compared { comparison, skipped, .. } = compared;
        let counts = *comparison.counts();
        Self {
            plugin,
            inputs: inputs.display().to_string(),
            compared: counts.compared(),
            differing: counts.differing(),
            counts,
            skipped: skipped.iter().map(|(skip, count): (&Skip, &u64)| (skip.text(), *count)).collect(),
            groups: groups(comparison),
            other_differences: comparison.other(),
            old,
            new,
        }
    }

    /// The outcomes, each with how many inputs came to it; those that may be missed are left out where there are none.
    pub(super) fn outcomes(&self) -> Vec<(&'static str, u64)> {
        let Counts {
            same,
            different,
            filtered_now,
            no_longer_filtered,
            new_failure,
            failure_gone,
            failure_differs,
            undecided,
        } = self.counts;
        let rare = [
            ("filtered now", filtered_now),
            ("no longer filtered", no_longer_filtered),
            ("new failure", new_failure),
            ("failure gone", failure_gone),
            ("another failure", failure_differs),
            ("undecided, as this machine was too busy", undecided),
        ];
        let always = [("same", same), ("different", different)];
        always.into_iter().chain(rare.into_iter().filter(|(_, count)| *count > 0)).collect()
    }

    pub(super) fn text(&self) -> String {
        let Self { plugin, inputs, .. } = self;
        let tried = self.compared + self.counts.undecided;
        let mut text = format!("{plugin}: {tried} inputs of {}\n\n", one_line(inputs));
        let outcomes = self.outcomes().into_iter();
        let rows = outcomes.map(|(name, count)| [name.to_owned(), count.to_string(), percent(count, tried)]).collect();
        text += &table(["OUTCOME", "INPUTS", "SHARE"], rows);
        for (what, count) in &self.skipped {
            text += &format!("skipped: {count} {what}\n");
        }
        if !self.groups.is_empty() {
            let rows = self.groups.iter().map(|group| group.cells(tried)).collect();
            text += "\n";
            text += &table(["DIFFERENCE", "INPUTS", "SHARE", "FIRST", "OLD", "NEW"], rows);
        }
        if self.other_differences > 0 {
            text += &format!("and {} in more groups than are kept\n", self.other_differences);
        }
        text += "\n";
        text + &table(SIDE_HEADS, vec![self.old.cells("old"), self.new.cells("new")])
    }
}

impl ReportedGroup {
    fn cells(&self, tried: u64) -> [String; 6] {
        let first = self.examples.first();
        let of_first = |text: fn(&ReportedExample) -> &str| first.map_or(String::new(), |first| one_line(text(first)));
        [
            one_line(&self.group.to_string()),
            self.inputs.to_string(),
            percent(self.inputs, tried),
            first.map_or(String::new(), |first| first.number.to_string()),
            of_first(|first| &first.old),
            of_first(|first| &first.new),
        ]
    }
}

fn groups(comparison: &Comparison) -> Vec<ReportedGroup> {
    let input = |Message { metadata, frames, .. }: &Message| ReportedInput {
        metadata: metadata.clone(),
        frames_base64: frames.iter().map(|frame| Base64(frame.to_vec())).collect(),
    };
    let groups = comparison.groups().map(|(group, grouped)| ReportedGroup {
        group: group.clone(),
        inputs: grouped.inputs,
        examples: grouped
            .examples
            .iter()
            .map(|example| ReportedExample {
                number: example.number,
                old: example.old.clone(),
                new: example.new.clone(),
                input: example.input.as_ref().map(input),
            })
            .collect(),
    });
    groups.collect()
}

/// A share in percent, with as many digits as tell it from none and from all.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let percent = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    let distance = if part == 0 || part >= whole { 100.0 } else { percent.min(100.0 - percent) };
    let digits = [10.0, 1.0, 0.1, 0.01, 0.001, 0.0001].iter().take_while(|step| distance < **step).count();
    format!("{percent:.digits$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_the_digits_that_tell_it_from_none_and_all() {
        let shares = [(0, 9), (9, 9), (1, 3), (5, 100), (997, 1_000), (1, 1_000_000), (999_999, 1_000_000), (0, 0)];
        let expected = ["0 %", "100 %", "33 %", "5.0 %", "99.70 %", "0.00010 %", "99.99990 %", "0 %"];
        assert_eq!(shares.map(|(part, whole)| percent(part, whole)), expected);
    }
}
