//! What is told of the groups of a comparison, in JSON.

use super::comparison::{Comparison, Example, Grouped};
use super::group::Group;
use crate::flow::Message;
use crate::record::dead_letters::Base64;
use serde::{Deserialize, Serialize};

/// A group of differences.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReportedGroup {
    /// What differs, in words.
    pub group: String,
    /// How many inputs.
    pub inputs: u64,
    /// The first of them.
    pub examples: Vec<ReportedExample>,
}

/// An input, and what differs of what came of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ReportedExample {
    /// The number of the input among all.
    pub number: u64,
    /// What was there.
    pub old: String,
    /// What is there now.
    pub new: String,
    /// None if it is large.
    pub input: Option<ReportedInput>,
}

/// An input.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[allow(missing_docs)]
pub struct ReportedInput {
    pub metadata: Vec<(String, String)>,
    pub frames_base64: Vec<Base64>,
}

/// The groups of a comparison, what weighs most first.
pub fn reported(comparison: &Comparison) -> Vec<ReportedGroup> {
    comparison.groups().map(|(group, grouped)| of(group, grouped, usize::MAX, input)).collect()
}

/// The first `groups_max` of them, each with its first example, of which the input is left out; and how many differences are of
/// groups beyond these. What is shown each second costs no copies of inputs.
pub fn reported_in_short(comparison: &Comparison, groups_max: usize) -> (Vec<ReportedGroup>, u64) {
    let shown = comparison.groups().take(groups_max).map(|(group, grouped)| of(group, grouped, 1, |_| None));
    let left = comparison.groups().skip(groups_max).map(|(_, grouped)| grouped.inputs).sum::<u64>();
    (shown.collect(), left + comparison.other())
}

fn of(
    group: &Group,
    grouped: &Grouped,
    examples_max: usize,
    input: fn(&Example) -> Option<ReportedInput>,
) -> ReportedGroup {
    let example = |example: &Example| ReportedExample {
        number: example.number,
        old: example.old.clone(),
        new: example.new.clone(),
        input: input(example),
    };
    ReportedGroup {
        group: group.to_string(),
        inputs: grouped.inputs,
        examples: grouped.examples.iter().take(examples_max).map(example).collect(),
    }
}

fn input(example: &Example) -> Option<ReportedInput> {
    let Message { metadata, frames, .. } = example.input.as_ref()?;
    Some(ReportedInput {
        metadata: metadata.clone(),
        frames_base64: frames.iter().map(|frame| Base64(frame.to_vec())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Output;
    use crate::record::compare::{Outcome, Rules};
    use std::time::Duration;

    #[test]
    fn in_short_there_are_few_groups_with_one_example_each_and_no_input() {
        let answer = |pairs: &[(&str, &str)]| {
            let metadata = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let message = Message { metadata, ..Message::default() };
            Outcome::Answer([Output { message, after: Duration::ZERO }].into_iter().collect())
        };
        let (old, new) = (answer(&[("a", "1"), ("b", "1"), ("c", "1")]), answer(&[("a", "2"), ("b", "2"), ("c", "2")]));
        let mut comparison = Comparison::default();
        for number in 1..=5 {
            comparison.add(&Rules::default(), number, &Message::default(), &old, &new);
        }
        let whole = reported(&comparison);
        assert!(whole.len() == 3 && whole.iter().all(|group| group.examples.len() > 1), "{whole:?}");
        assert!(whole[0].examples[0].input.is_some());
        let (short, other) = reported_in_short(&comparison, 2);
        assert_eq!(other, 5);
        let names = |groups: &[ReportedGroup]| groups.iter().map(|group| group.group.clone()).collect::<Vec<_>>();
        assert_eq!(names(&short), names(&whole)[..2]);
        for group in short {
            assert_eq!((group.inputs, group.examples.len()), (5, 1));
            assert!(group.examples[0].input.is_none() && group.examples[0].old.contains('1'));
        }
    }
}
