//! What is told of the groups of a comparison, in JSON.

use super::comparison::Comparison;
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
    let input = |Message { metadata, frames, .. }: &Message| ReportedInput {
        metadata: metadata.clone(),
        frames_base64: frames.iter().map(|frame| Base64(frame.to_vec())).collect(),
    };
    let groups = comparison.groups().map(|(group, grouped)| ReportedGroup {
        group: group.to_string(),
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
