//! The flags by which one place is named of which a capture is.

use crate::cli::plugin::flow_names;
use clap::Args;
use clap_complete::ArgValueCandidates;

/// One flow, route or policy.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct Place {
    /// Only of this flow
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(flow_names))]
    pub(super) flow: Option<String>,
    /// Only of this route
    #[arg(long, value_name = "NAME")]
    pub(super) route: Option<String>,
    /// Only of the frontend's reply policy of this name
    #[arg(long, value_name = "NAME")]
    pub(super) policy: Option<String>,
}
