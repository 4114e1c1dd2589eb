//! The flags by which one place is named of which a capture is, or is read.

use crate::cli::plugin::flow_names;
use crate::record::choice::PlaceKind;
use clap::Args;
use clap_complete::ArgValueCandidates;

/// One flow, route or policy.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(in crate::cli) struct Place {
    /// Only of this flow
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(flow_names))]
    pub(in crate::cli) flow: Option<String>,
    /// Only of this route
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) route: Option<String>,
    /// Only of the frontend's reply policy of this name
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) policy: Option<String>,
}

impl Place {
    /// The kind and the name; none for all.
    pub(in crate::cli) fn chosen(self) -> Option<(PlaceKind, String)> {
        let Self { flow, route, policy } = self;
        let kinds = [(PlaceKind::Flow, flow), (PlaceKind::Route, route), (PlaceKind::Policy, policy)];
        kinds.into_iter().find_map(|(kind, name)| Some((kind, name?)))
    }
}
