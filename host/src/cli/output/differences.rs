//! Differences between what two components made of the same inputs, as tables.

use super::render::one_line;
use super::table::table;
use crate::record::compare::{Counts, ReportedExample, ReportedGroup};

/// How many inputs came to what.
pub(in crate::cli) fn outcomes_table(counts: &Counts) -> String {
    let tried = counts.compared() + counts.undecided;
    let outcomes = outcomes(counts).into_iter();
    let rows = outcomes.map(|(name, count)| [name.to_owned(), count.to_string(), percent(count, tried)]).collect();
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
pub(in crate::cli) fn outcomes(counts: &Counts) -> Vec<(&'static str, u64)> {
    let Counts {
        same,
        different,
        filtered_now,
        no_longer_filtered,
        new_failure,
        failure_gone,
        failure_differs,
        undecided,
    } = *counts;
    let rare = [
        ("filtered now", filtered_now),
        ("no longer filtered", no_longer_filtered),
        ("new failure", new_failure),
        ("failure gone", failure_gone),
        ("another failure", failure_differs),
        ("undecided", undecided),
    ];
    let always = [("same", same), ("different", different)];
    always.into_iter().chain(rare.into_iter().filter(|(_, count)| *count > 0)).collect()
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
