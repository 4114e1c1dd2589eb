//! The flags that choose among captured traffic, of captures and of dead letters alike.

use crate::cli::plugin::flow_names;
use crate::record::choice::{Choice, Moment, PlaceKind};
use clap::Args;
use clap_complete::ArgValueCandidates;

/// Of a flag that is repeated one has to fit, and all that are given.
#[derive(Clone, Debug, Args)]
#[group(id = "choice")]
pub(in crate::cli) struct ChoiceFlags {
    /// Only what came into this flow; repeatable
    #[arg(long = "flow", value_name = "NAME", add = ArgValueCandidates::new(flow_names))]
    flows: Vec<String>,
    /// Only what came to this route; repeatable
    #[arg(long = "route", value_name = "NAME")]
    routes: Vec<String>,
    /// Only what the frontend's reply policy of this name was asked; repeatable
    #[arg(long = "policy", value_name = "NAME")]
    policies: Vec<String>,
    /// Only calls of this plugin; repeatable
    #[arg(long = "plugin", value_name = "NAME")]
    plugins: Vec<String>,
    /// Only calls that failed for this reason of the ledger; repeatable
    #[arg(long = "reason", value_name = "REASON")]
    reasons: Vec<String>,
    /// Only calls that failed, as those of dead letters did
    #[arg(long)]
    failed: bool,
    /// Only what has a topic that begins so
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only what is of a time, as 2026-11-24T08:52:40Z, or later; or of so long ago at most, as 10m or 2h
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// Only what is of before a time, or of longer ago than this
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
    /// No more than so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

impl ChoiceFlags {
    /// How many are wanted at most.
    pub(in crate::cli) fn limit(&self) -> u64 {
        self.limit.unwrap_or(u64::MAX)
    }

    /// What is chosen.
    pub(in crate::cli) fn choice(self) -> Choice {
        let Self { flows, routes, policies, plugins, reasons, failed, topic, since, until, limit: _ } = self;
        let of = |kind, names: Vec<String>| names.into_iter().map(move |name| (kind, name));
        let places = of(PlaceKind::Flow, flows)
            .chain(of(PlaceKind::Route, routes))
            .chain(of(PlaceKind::Policy, policies))
            .collect();
        Choice { places, plugins, reasons, failed, topic: topic.unwrap_or_default().into_bytes(), since, until }
    }
}
