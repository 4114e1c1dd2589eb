//! What is told of a shadow.

use super::live::flow_key;
use crate::flow::ServedBy;
use crate::record::compare::{Counts, ReportedGroup};
use serde::{Deserialize, Serialize};

/// How a shadow does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShadowState {
    /// It is called.
    Running,
    /// It has taken the place of what served.
    Promoted,
    /// It was asked to end.
    Stopped,
    /// It ended by itself.
    Ended,
}

/// What is told of a shadow.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ShadowStatus {
    /// The plugin that it stands beside; empty where that is a flow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plugin: String,
    /// The flow that it stands beside; empty where that is a plugin.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub flow: String,
    /// How it does.
    pub state: ShadowState,
    /// Why it ended, or why it does not serve though it was asked to by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it began, as RFC 3339 has it.
    pub began: String,
    /// SHA-256 of its component, in hexadecimal; empty beside a flow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Beside a flow: the plugins that it leads through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
    /// What it is compared with.
    pub against: Against,
    /// Of a hundred calls it is called on so many.
    pub percent: f64,
    /// Calls that have to be compared before it may serve.
    pub min_calls: u64,
    /// How much may differ then.
    pub max_diff: String,
    /// Whether it is to serve by itself once it may.
    pub auto: bool,
    /// Settings that differ from those of what serves.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub set: std::collections::BTreeMap<String, String>,
    /// Whether it may serve by now.
    pub may_serve: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// Calls that both have ended since it is compared with this generation.
    pub compared: u64,
    /// Those of them that differ.
    pub differing: u64,
    /// What they came to.
    pub counts: Counts,
    /// Calls that were not made, as the ledger counts them by their reasons at the hop `shadows.NAME`.
    pub dropped: u64,
    /// Half of its calls took no longer, in microseconds.
    pub p50_us: Option<f64>,
    /// Of a hundred of its calls 99 took no longer, in microseconds.
    pub p99_us: Option<f64>,
    /// The most that the memories of one instance had together.
    pub memory_bytes: usize,
    /// What differs.
    pub groups: Vec<ReportedGroup>,
    /// Differences of groups beyond as many as are kept, or told.
    pub other_differences: u64,
}

impl ShadowStatus {
    /// What it stands beside: the name of a plugin, or `flows.NAME`.
    pub fn key(&self) -> String {
        if self.flow.is_empty() { self.plugin.clone() } else { flow_key(&self.flow) }
    }
}

/// What a shadow is compared with.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Against {
    /// The generation that serves; 0 beside a flow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
    /// SHA-256 of its component, in hexadecimal; empty beside a flow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Beside a flow: the plugins that it leads through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
    /// The generations of all plugins that were called, by their names.
    #[serde(skip)]
    pub generations: Vec<(String, u64)>,
    /// Half of the calls of the plugin took no longer, in microseconds; of all generations.
    pub p50_us: Option<f64>,
    /// Of a hundred of its calls 99 took no longer.
    pub p99_us: Option<f64>,
}

impl Against {
    /// A generation that serves.
    pub(super) fn of(by: &ServedBy) -> Self {
        let generations = vec![(by.plugin.clone(), by.generation)];
        Self { generation: by.generation, digest: by.digest.clone(), generations, ..Self::default() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it in so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
