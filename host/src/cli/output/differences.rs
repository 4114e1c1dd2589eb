//! Differences between what two components made of the same inputs, as tables.

use super::render::one_line;
use super::table::table;
use crate::record::compare::{Counts, ReportedExample, ReportedGroup, outcome_words};

/// How many inputs came to what.
pub(in crate::cli) fn outcomes_table(counts: &Counts) -> String {
    let tried = counts.compared() + counts.undecided;
    let rows = outcomes(counts).map(|(name, count)| [name, count.to_string(), percent(count, tried)]).collect();
    table(["OUTCOME", "INPUTS", "SHARE"], rows)
}

/// The groups of what differs, each with its first example, below an empty line; nothing if there are none. `other` differences
/// are of groups that are not kept.
pub(in crate::cli) fn groups_table(groups: &[ReportedGroup], other: u64, tried: u64) -> String {
    let mut text = String::new();
    if !groups.is_empty() {
        let rows = groups.iter().map(|group| cells(group, tried)).collect();
        text += "\n";
        text += &table(["DIFFERENCE", "INPUTS", "SHARE", "FIRST", "OLD", "NEW"], rows);
    }
    if other > 0 {
        text += &format!("and {other} in more groups than are kept\n");
    }
    text
}

/// The outcomes, each with how many inputs came to it; those that may be missed are left out where there are none.
pub(in crate::cli) fn outcomes(counts: &Counts) -> impl Iterator<Item = (String, u64)> {
    let is_told = |(name, count): &(&str, u64)| *count > 0 || ["same", "different"].contains(name);
    counts.outcomes().into_iter().filter(is_told).map(|(name, count)| (outcome_words(name), count))
}

fn cells(group: &ReportedGroup, tried: u64) -> [String; 6] {
    let first = group.examples.first();
    let of_first = |text: fn(&ReportedExample) -> &str| first.map_or(String::new(), |first| one_line(text(first)));
    [
        one_line(&group.group),
        group.inputs.to_string(),
        percent(group.inputs, tried),
        first.map_or(String::new(), |first| first.number.to_string()),
        of_first(|first| &first.old),
        of_first(|first| &first.new),
    ]
}

/// A share in percent, with as many digits as tell it from none and from all.
pub(in crate::cli) fn percent(part: u64, whole: u64) -> String {
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
