//! What is said of a newcomer at its gate: the counts, the first difference, and the remedy.

use crate::config;
use crate::plugin::LoadError;
use crate::record::compare::{Comparison, Counts};
use crate::rehearsal::{Compared, Skip};

/// How a newcomer gets in that is wanted to differ.
const REMEDY: &str = "if that is wanted, load it with `tidegate plugin load` and --expect-diff";

/// Says what came of a comparison.
pub(super) struct Verdict<'a> {
    pub(super) rules: &'a config::Gate,
    pub(super) plugin: &'a str,
}

impl Verdict<'_> {
    /// Of a plugin that has no calls to make again.
    pub(super) fn of_handler(&self) -> LoadError {
        let plugin = self.plugin;
        LoadError::Gate(format!(
            "{plugin} is a handler of HTTP alone, whose calls are not made again: take [plugins.{plugin}.gate] out of the \
             configuration, or load it with --expect-diff"
        ))
    }

    /// Of a file on which nothing can be compared.
    pub(super) fn of_file(&self, why: &str) -> LoadError {
        let (plugin, file) = (self.plugin, self.rules.on.display());
        LoadError::Gate(format!(
            "{file}: {why}: name a capture with calls of {plugin} in plugins.{plugin}.gate.on (`tidegate capture start` makes \
             one), or load it with --expect-diff"
        ))
    }

    /// Of a comparison that took too long.
    pub(super) fn of_time(&self, compared: u64, differing: u64) -> LoadError {
        let (plugin, file, time_max_ms) = (self.plugin, self.rules.on.display(), self.rules.time_max_ms);
        LoadError::Gate(format!(
            "after {time_max_ms} ms {compared} inputs of {file} were compared, of which {differing} differ, and the others are \
             not known: raise plugins.{plugin}.gate.time_max_ms, or name a shorter capture; {REMEDY}"
        ))
    }

    /// Of a comparison that ended, of which some inputs were not looked at unless it `is_whole`.
    ///
    /// # Errors
    /// When more differs than may, or it is not known whether it does.
    pub(super) fn of(&self, compared: &Compared, is_whole: bool) -> Result<String, LoadError> {
        let (file, bound) = (self.rules.on.display(), self.rules.max_diff);
        let counts = *compared.comparison.counts();
        let broken = compared.skipped.get(&Skip::Broken).copied().unwrap_or_default();
        let Err(over) = bound.check(&counts, broken) else {
            return Ok(format!(
                "{} of {} inputs of {file} differ from what served",
                counts.differing(),
                counts.compared()
            ));
        };
        let without_undecided = Counts { undecided: 0, ..counts };
        if counts.undecided > 0 && (counts.compared() == 0 || bound.check(&without_undecided, broken).is_ok()) {
            let undecided = counts.undecided;
            return Err(LoadError::Busy {
                stage: "gate",
                text: format!("the host is too busy to compare it on {undecided} inputs of {file}"),
            });
        }
        if counts.differing() == 0 {
            let skipped: Vec<_> =
                compared.skipped.iter().map(|(skip, count)| format!("{count} {}", skip.text())).collect();
            let skipped =
                if skipped.is_empty() { String::new() } else { format!(" (skipped: {})", skipped.join(", ")) };
            return Err(self.of_file(&format!("{over}{skipped}")));
        }
        let rest = if is_whole { "" } else { ", and the rest was not looked at" };
        Err(LoadError::Gate(format!(
            "{file}: {over}{rest} ({}); the first is {}; {REMEDY}",
            told(&counts),
            first(&compared.comparison)
        )))
    }
}

/// How many differ in which way.
fn told(counts: &Counts) -> String {
    let Counts { different, filtered_now, no_longer_filtered, new_failure, failure_gone, failure_differs, .. } =
        *counts;
    let ways = [
        (different, "different"),
        (filtered_now, "filtered now"),
        (no_longer_filtered, "no longer filtered"),
        (new_failure, "new failure"),
        (failure_gone, "failure gone"),
        (failure_differs, "another failure"),
    ];
    let found = ways.iter().filter(|(count, _)| *count > 0).map(|(count, way)| format!("{count} {way}"));
    found.collect::<Vec<_>>().join(", ")
}

/// The first input that differs, and in what; of several ways that which weighs most.
fn first(comparison: &Comparison) -> String {
    let examples =
        comparison.groups().flat_map(|(group, grouped)| grouped.examples.iter().map(move |one| (group, one)));
    let Some((group, example)) = examples.min_by_key(|(_, example)| example.number) else {
        return "not kept".to_owned();
    };
    format!("input {}, {group}: `{}` became `{}`", example.number, example.old, example.new)
}
