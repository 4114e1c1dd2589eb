//! One plugin: where it comes from, what its instances are, its bounds and settings.

mod bucket;
mod gate;
mod live;
mod outbound;

pub(super) use bucket::check;
pub use bucket::*;
pub use gate::Gate;
pub use outbound::Grant;

use super::limits::{LimitsLayer, milliseconds_if_any, number};
use super::place::Place;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[plugins.NAME]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plugin {
    /// The component to load, a file or `oci://…`; without it the section only sets bounds and settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Place>,
    /// How often it is looked whether the tag has moved that it comes by, if not every `oci.poll_ms`; 0 for never.
    #[serde(deserialize_with = "milliseconds_if_any::<_, _, 0, 86_400_000>", skip_serializing_if = "Option::is_none")]
    pub poll_ms: Option<u64>,
    /// What an instance is when a call begins, as long as `reuse` is 1.
    pub isolation: Isolation,
    /// How many calls one instance may serve before it is thrown away, with all that it remembers; 1, the default, is none but
    /// its own.
    #[serde(deserialize_with = "number::<_, _, 1, 4_294_967_295>")]
    pub reuse: u32,
    /// How many new instances wait for calls, made while nothing else runs, each with its memory: for guests that take long to
    /// start; 0, the default, is none.
    #[serde(deserialize_with = "number::<_, _, 0, 100>")]
    pub warm: u32,
    /// The hosts that a handler may send requests to; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outbound: Vec<Grant>,
    /// What it may keep between its calls, by the name of each bucket; nothing by default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub buckets: BTreeMap<String, Bucket>,
    /// What a newcomer is compared on with what serves before it may take its place; nothing by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Bounds that differ from `[limits]`.
    pub limits: LimitsLayer,
    /// What the guest reads through `wasi:config/store`.
    pub settings: BTreeMap<String, String>,
}

/// What the instance is that a call begins in; either way it is in the state of a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// One that served before and was reset, where it is proven that nothing can be left in it; a new one elsewhere.
    #[default]
    Reset,
    /// A new one.
    Fresh,
}

/// What is said of the instances of one plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instances {
    /// What one is when a call begins, as long as `reuse` is 1.
    pub isolation: Isolation,
    /// How many calls one may serve.
    pub reuse: u32,
    /// How many new ones wait.
    pub warm: u32,
}

impl Default for Instances {
    fn default() -> Self {
        Self { isolation: Isolation::default(), reuse: 1, warm: 0 }
    }
}

impl Default for Plugin {
    fn default() -> Self {
        let (path, poll_ms, outbound, buckets, gate, limits, settings) = Default::default();
        let Instances { isolation, reuse, warm } = Instances::default();
        Self { path, poll_ms, isolation, reuse, warm, outbound, buckets, gate, limits, settings }
    }
}
