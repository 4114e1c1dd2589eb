//! The accumulator of a comparison: counts, and the groups of what differs with the first examples of each.

use super::differences::between;
use super::excerpt::Excerpts;
use super::group::Group;
use super::outcome::{Class, Outcome};
use super::rules::Rules;
use crate::config::{COMPARE_EXAMPLES_MAX, COMPARE_GROUPS_MAX, COMPARE_INPUT_BYTES_MAX};
use crate::flow::Message;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many inputs came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counts {
    /// Nothing that counts differs.
    pub same: u64,
    /// Both answered, and not the same.
    pub different: u64,
    /// There were messages, and now there are none.
    pub filtered_now: u64,
    /// There were none, and now there are.
    pub no_longer_filtered: u64,
    /// They were answered, and now they fail.
    pub new_failure: u64,
    /// They failed, and now they are answered.
    pub failure_gone: u64,
    /// Both failed, in different ways.
    pub failure_differs: u64,
    /// Not compared: this machine did not get one of the calls to its end, or what served does not repeat what it did.
    pub undecided: u64,
}

/// What two components made of the same inputs. It takes inputs in any order, and merging is associative: what is kept
/// depends on the inputs alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    counts: Counts,
    /// No more than may be kept: of more those that come first.
    groups: BTreeMap<Group, Grouped>,
    /// Differences of groups that are not kept.
    other: u64,
}

/// The inputs of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grouped {
    /// How many there are.
    pub inputs: u64,
    /// The first ones by their number.
    pub examples: Vec<Example>,
}

/// An input, and what differs of what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The number of the input among all.
    pub number: u64,
    /// The input; none if it is large.
    pub input: Option<Message>,
    /// What was there.
    pub old: String,
    /// What is there now.
    pub new: String,
}

impl Counts {
    /// The inputs of which both outcomes are known.
    pub fn compared(&self) -> u64 {
        self.same + self.differing()
    }

    /// Those of them whose outcomes differ in any way.
    pub fn differing(&self) -> u64 {
        let Self { different, filtered_now, no_longer_filtered, new_failure, failure_gone, failure_differs, .. } = self;
        different + filtered_now + no_longer_filtered + new_failure + failure_gone + failure_differs
    }

    /// Each outcome by its name, with how many inputs came to it.
    pub fn outcomes(&self) -> [(&'static str, u64); 8] {
        let Self {
            same,
            different,
            filtered_now,
            no_longer_filtered,
            new_failure,
            failure_gone,
            failure_differs,
            undecided,
        } = *self;
        [
            ("same", same),
            ("different", different),
            ("filtered-now", filtered_now),
            ("no-longer-filtered", no_longer_filtered),
            ("new-failure", new_failure),
            ("failure-gone", failure_gone),
            ("failure-differs", failure_differs),
            ("undecided", undecided),
        ]
    }

    fn of(&mut self, class: Class) -> &mut u64 {
        match class {
            Class::Same => &mut self.same,
            Class::Different => &mut self.different,
            Class::FilteredNow => &mut self.filtered_now,
            Class::NoLongerFiltered => &mut self.no_longer_filtered,
            Class::NewFailure => &mut self.new_failure,
            Class::FailureGone => &mut self.failure_gone,
            Class::FailureDiffers => &mut self.failure_differs,
        }
    }

    fn add(&mut self, other: &Self) {
        self.same += other.same;
        self.different += other.different;
        self.filtered_now += other.filtered_now;
        self.no_longer_filtered += other.no_longer_filtered;
        self.new_failure += other.new_failure;
        self.failure_gone += other.failure_gone;
        self.failure_differs += other.failure_differs;
        self.undecided += other.undecided;
    }
}

/// An outcome in the words of people, by its name.
pub fn outcome_words(outcome: &str) -> String {
    if outcome == "failure-differs" { "another failure".to_owned() } else { outcome.replace('-', " ") }
}

impl Comparison {
    /// Whether nothing that counts differs.
    pub fn is_same(rules: &Rules, old: &Outcome, new: &Outcome) -> bool {
        old.is_identical(new) || between(old, new, rules).groups.is_empty()
    }

    /// Takes in one input, with its `number` among all, and what came of it before and now.
    pub fn add(&mut self, rules: &Rules, number: u64, input: &Message, old: &Outcome, new: &Outcome) -> Class {
        let class = self.class_of(rules, number, input, old, new);
        *self.counts.of(class) += 1;
        class
    }

    fn class_of(&mut self, rules: &Rules, number: u64, input: &Message, old: &Outcome, new: &Outcome) -> Class {
        if old.is_identical(new) {
            return Class::Same;
        }
        let differences = between(old, new, rules);
        if differences.groups.is_empty() {
            return Class::Same;
        }
        self.other += u64::from(differences.has_more);
        for (group, excerpts) in differences.groups {
            let grouped = self.groups.entry(group).or_default();
            grouped.inputs += 1;
            if grouped.keeps(number) {
                grouped.insert(Example::new(number, input, excerpts));
            }
        }
        self.keep_first_groups();
        old.class_of(new)
    }

    /// Takes note of an input of which one outcome is not known.
    pub fn add_undecided(&mut self) {
        self.counts.undecided += 1;
    }

    /// Takes in what another one has of other inputs.
    pub fn merge(&mut self, other: Self) {
        self.counts.add(&other.counts);
        self.other += other.other;
        for (group, theirs) in other.groups {
            let ours = self.groups.entry(group).or_default();
            ours.inputs += theirs.inputs;
            theirs.examples.into_iter().for_each(|example| ours.insert(example));
        }
        self.keep_first_groups();
    }

    /// A group that is not among the first of some inputs is not among the first of more, so none is counted in part.
    fn keep_first_groups(&mut self) {
        while self.groups.len() > COMPARE_GROUPS_MAX {
            self.other += self.groups.pop_last().map_or(0, |(_, grouped)| grouped.inputs);
        }
    }

    /// How many inputs came to what.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The groups of what differs, what weighs most first.
    pub fn groups(&self) -> impl Iterator<Item = (&Group, &Grouped)> {
        self.groups.iter()
    }

    /// How often something differed that is in none of the groups, of which there would be too many.
    pub fn other(&self) -> u64 {
        self.other
    }
}

impl Grouped {
    fn keeps(&self, number: u64) -> bool {
        self.examples.len() < COMPARE_EXAMPLES_MAX || self.examples.last().is_some_and(|last| number < last.number)
    }

    fn insert(&mut self, example: Example) {
        let at = self.examples.partition_point(|kept| kept.number <= example.number);
        self.examples.insert(at, example);
        self.examples.truncate(COMPARE_EXAMPLES_MAX);
    }
}

impl Example {
    /// The input is copied: its frames may be parts of something large, which they would keep in memory.
    fn new(number: u64, input: &Message, (old, new): Excerpts) -> Self {
        let text: usize = input.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        let is_small = input.bytes() + text + input.frames.len() <= COMPARE_INPUT_BYTES_MAX;
        let input = is_small.then(|| Message {
            metadata: input.metadata.clone(),
            frames: input.frames.iter().map(|frame| Bytes::copy_from_slice(frame)).collect(),
            ..Message::default()
        });
        Self { number, input, old, new }
    }
}

#[cfg(test)]
mod tests;
