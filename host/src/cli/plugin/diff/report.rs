//! The report of a comparison, for people and for programs.

use crate::cli::output::differences::{groups_table, outcomes_table};
use crate::cli::output::render::one_line;
use crate::cli::output::table::table;
use crate::plugin::Plugin;
use crate::record::compare::{Counts, ReportedGroup, reported};
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
            groups: reported(comparison),
            other_differences: comparison.other(),
            old,
            new,
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { plugin, inputs, .. } = self;
        let tried = self.compared + self.counts.undecided;
        let mut text = format!("{plugin}: {tried} inputs of {}\n\n", one_line(inputs));
        text += &outcomes_table(&self.counts);
        for (what, count) in &self.skipped {
            text += &format!("skipped: {count} {what}\n");
        }
        text += &groups_table(&self.groups, self.other_differences, tried);
        text += "\n";
        text + &table(SIDE_HEADS, vec![self.old.cells("old"), self.new.cells("new")])
    }
}
