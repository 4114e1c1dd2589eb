//! What is said of a newcomer at its gate: the counts, the first difference, and the remedy.

use crate::config;
use crate::plugin::LoadError;
use crate::record::compare::{Comparison, Counts, outcome_words};
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
    let differs = |(name, count): &(&str, u64)| *count > 0 && !["same", "undecided"].contains(name);
    let found = counts.outcomes().into_iter().filter(differs);
    found.map(|(name, count)| format!("{count} {}", outcome_words(name))).collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::flow::{Message, Outputs};
    use crate::record::compare::{Outcome, Rules};
    use crate::rehearsal::Cost;

    /// What is said where of these inputs some differ, some could not be compared and some were skipped.
    fn said(
        max_diff: &str,
        same: u64,
        differing: u64,
        undecided: u64,
        skipped: &[(Skip, u64)],
    ) -> Result<String, LoadError> {
        let text = format!("[plugins.p.gate]\non = 'f'\nmax_diff = {max_diff}");
        let config = Config::parse(text).unwrap().0;
        let mut comparison = Comparison::default();
        let failure = || Outcome::Failure { reason: "trapped".into(), detail: "the plugin trapped".to_owned() };
        let answer = || Outcome::Answer(Outputs::new());
        for number in 1..=same + differing {
            let new = if number > same { failure() } else { answer() };
            comparison.add(&Rules::default(), number, &Message::default(), &answer(), &new);
        }
        (0..undecided).for_each(|_| comparison.add_undecided());
        let cost = || Cost { durations: Default::default(), memory_bytes: 0 };
        let skipped = skipped.iter().copied().collect();
        let compared = Compared { comparison, skipped, old: cost(), new: cost() };
        Verdict { rules: config.gate_of("p").unwrap(), plugin: "p" }.of(&compared, true)
    }

    #[track_caller]
    fn refused(said: Result<String, LoadError>, words: &str) {
        match said {
            Err(LoadError::Gate(text)) => assert!(text.contains(words), "{text}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_differs_no_more_than_may_passes() {
        assert_eq!(said("0", 9, 0, 0, &[]).unwrap(), "0 of 9 inputs of f differ from what served");
        assert_eq!(
            said("1", 9, 1, 0, &[(Skip::OtherPlugin, 7)]).unwrap(),
            "1 of 10 inputs of f differ from what served"
        );
        assert_eq!(said("'10%'", 9, 1, 0, &[]).unwrap(), "1 of 10 inputs of f differ from what served");
        let words = "f: 2 of 11 inputs differ, over 10% (2 new failure); the first is input 10, new failure: trapped: `(filtered)` \
                     became `the plugin trapped`; if that is wanted";
        refused(said("'10%'", 9, 2, 0, &[]), words);
    }

    #[test]
    fn what_the_machine_had_no_time_for_refuses_nobody_and_lets_nobody_in() {
        for said in [said("0", 9, 0, 1, &[]), said("1", 9, 1, 1, &[]), said("'100%'", 0, 0, 3, &[])] {
            assert!(matches!(said, Err(LoadError::Busy { stage: "gate", .. })), "{said:?}");
        }
        // More differs than may, whatever the others do.
        refused(said("0", 9, 1, 5, &[]), "1 of 10 inputs differ and 5 could not be compared, over 0");
    }

    #[test]
    fn where_nothing_or_not_all_was_compared_nothing_is_proven() {
        refused(
            said("'100%'", 0, 0, 0, &[(Skip::NoRole, 4)]),
            "no input was compared (skipped: 4 in a role that neither has)",
        );
        refused(said("'100%'", 9, 0, 0, &[(Skip::Broken, 1)]), "1 parts of the inputs cannot be read");
        refused(said("'100%'", 9, 1, 0, &[(Skip::Broken, 1)]), "1 parts of the inputs cannot be read");
    }
}
