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
