//! `GET /metrics`: all that is counted, in the text that Prometheus reads, looked up anew at every scrape.
//!
//! Each file below is one [`Collector`]. It only reads what the parts of the host count for themselves, so that nothing
//! is counted twice; a part with counts of its own gets a file of its own and a line in [`Metrics::new`].

mod captures;
mod durations;
mod hops;
mod plugins;
pub(super) mod process;
mod series;
mod shadows;
mod surfaces;
mod text;

pub use surfaces::Counts;

use super::{accept, with_type};
use crate::flow::Surfaces;
use crate::http::problem::Problem;
use crate::ledger::Ledger;
use crate::plugin::Slots;
use crate::record::capture::Captures;
use crate::rehearsal::shadow::Shadows;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use warp::http::{HeaderMap, HeaderValue};
use warp::reply::Response;

#[cfg(doc)]
use prometheus_client::collector::Collector;

const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const OPENMETRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// What is told of the host, apart from its plugins.
pub struct Observed {
    /// What came in at each hop, and what became of it.
    pub ledger: Ledger,
    /// All surfaces.
    pub surfaces: Surfaces,
    /// What else counts for itself.
    pub others: Vec<Counts>,
}

/// Everything that is told at a scrape.
pub(super) struct Metrics {
    registry: Registry,
}

impl Metrics {
    pub(super) fn new(slots: Arc<Slots>, watched: Observed, shadows: Shadows, captures: Captures) -> Self {
        let mut registry = Registry::with_prefix("tidegate");
        registry.register_collector(Box::new(process::Process::new()));
        registry.register_collector(Box::new(hops::HopMetrics(watched.ledger)));
        registry.register_collector(Box::new(plugins::Plugins(slots)));
        registry.register_collector(Box::new(shadows::ShadowMetrics(shadows)));
        registry.register_collector(Box::new(captures::CaptureMetrics(captures)));
        let Observed { surfaces, others, .. } = watched;
        registry.register_collector(Box::new(surfaces::SurfaceMetrics { surfaces, others }));
        Self { registry }
    }

    /// In the form that the caller prefers; Prometheus' own where it does not say.
    ///
    /// # Errors
    /// When the metrics cannot be encoded.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Result<Response, Problem> {
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(|error| {
            tracing::error!(%error, "writing the metrics");
            Problem::Host
        })?;
        if accept::prefers_openmetrics(headers) {
            return Ok(with_type(text, OPENMETRICS));
        }
        Ok(with_type(text::prometheus(&text), PROMETHEUS))
    }
}
