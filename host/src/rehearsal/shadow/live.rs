//! What a shadow stands beside, and what is called for it while it runs.

use crate::flow::{Place, RecordedCall, Subject};
use crate::plugin::{DurationCounts, Rehearsal, Slot};
use crate::rehearsal::chain::ChainCost;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a shadow stands beside, and how it differs.
pub(super) enum Beside {
    /// The plugin of this name; with settings that differ, it is the same component.
    Plugin { name: String, set: BTreeMap<String, String> },
    /// The flow of this name, which is led through these plugins instead.
    Flow { name: String, through: Vec<String> },
}

/// What is called. It is let go of when the shadow has ended.
#[derive(Clone)]
pub(super) enum Live {
    /// A component.
    Component { slot: Arc<Slot>, bytes: Arc<Vec<u8>>, rehearsal: Arc<Rehearsal> },
    /// What serves itself, under other settings.
    Settings { slot: Arc<Slot>, rehearsal: Arc<Rehearsal> },
    /// Other plugins in a flow.
    Chain { cost: Arc<ChainCost> },
}

/// What is told of that.
#[derive(Clone, Default)]
pub(super) struct Figures {
    /// SHA-256 of the component, in hexadecimal.
    pub(super) digest: String,
    /// Of the calls of the newcomer, p50 and p99 in microseconds.
    pub(super) of_shadow: (Option<f64>, Option<f64>),
    /// Of the calls of what serves.
    pub(super) of_serving: (Option<f64>, Option<f64>),
    /// The most that the memories of one instance had together.
    pub(super) memory_bytes: usize,
}

impl Beside {
    /// What it is called: the name of a plugin, or `flows.NAME`.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Plugin { name, .. } => name.clone(),
            Self::Flow { name, .. } => flow_key(name),
        }
    }

    /// The plugin; empty where it is a flow.
    pub(super) fn plugin(&self) -> &str {
        if let Self::Plugin { name, .. } = self { name } else { "" }
    }

    /// The flow; empty where it is a plugin.
    pub(super) fn flow(&self) -> &str {
        if let Self::Flow { name, .. } = self { name } else { "" }
    }

    /// The plugins that the flow is led through instead.
    pub(super) fn through(&self) -> &[String] {
        if let Self::Flow { through, .. } = self { through } else { &[] }
    }

    /// The settings that differ.
    pub(super) fn set(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        if let Self::Plugin { set, .. } = self { set } else { &NONE }
    }

    /// Whether the newcomer may be called on this.
    pub(super) fn is_called_on(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Plugin { name, .. } => subject.plugin == Some(name),
            Self::Flow { name, .. } => subject.place == Place::Flow(name),
        }
    }

    /// Whether it is compared with what was made of this.
    pub(super) fn takes(&self, call: Option<&RecordedCall>) -> bool {
        match self {
            // Where no plugin was reached there is nothing to compare with.
            Self::Plugin { .. } => call.is_some_and(|call| call.by.is_some()),
            Self::Flow { .. } => call.is_none_or(|call| call.stage == 0),
        }
    }
}

impl Live {
    /// The slot of the plugin that it is called beside.
    pub(super) fn slot(&self) -> Option<Arc<Slot>> {
        match self {
            Self::Component { slot, .. } | Self::Settings { slot, .. } => Some(Arc::clone(slot)),
            Self::Chain { .. } => None,
        }
    }

    /// What is told of it.
    pub(super) fn figures(&self) -> Figures {
        match self {
            Self::Component { slot, rehearsal, .. } | Self::Settings { slot, rehearsal } => Figures {
                digest: rehearsal.plugin().digest().to_string(),
                of_shadow: shares(&rehearsal.durations()),
                of_serving: shares(&slot.durations()),
                memory_bytes: rehearsal.memory_bytes(),
            },
            Self::Chain { cost } => Figures { of_shadow: shares(&cost.durations.read()), ..Figures::default() },
        }
    }
}

/// What a shadow beside a flow is called, as no plugin is.
pub(super) fn flow_key(flow: &str) -> String {
    format!("flows.{flow}")
}

/// Their p50 and p99, in microseconds.
fn shares(durations: &DurationCounts) -> (Option<f64>, Option<f64>) {
    let us = |percent| durations.percentile(percent).map(|time| time.as_nanos() as f64 / 1_000.0);
    (us(50), us(99))
}
