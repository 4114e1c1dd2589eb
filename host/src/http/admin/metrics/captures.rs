//! The captures at a scrape. What they take and drop is counted at their hop.

use super::series::gauge;
use crate::record::capture::{CaptureState, Captures};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;

pub(super) struct CaptureMetrics(pub(super) Captures);

impl fmt::Debug for CaptureMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.list().iter().map(|capture| capture.id.clone())).finish()
    }
}

impl Collector for CaptureMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let running = self.0.list().iter().filter(|capture| capture.state == CaptureState::Running).count();
        let running = u64::try_from(running).unwrap_or(u64::MAX);
        gauge(&mut encoder, ("captures_running", None, "Captures that run now, the ring among them"), running)
    }
}
