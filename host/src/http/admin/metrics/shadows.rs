//! The shadows at a scrape. The counts of one are of one moment; the calls that were not made are counted at its hop.

use super::series::{counters, gauges};
use crate::rehearsal::shadow::{ShadowState, ShadowStatus, Shadows};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;

pub(super) struct ShadowMetrics(pub(super) Shadows);

impl fmt::Debug for ShadowMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.list_in_short().iter().map(|shadow| shadow.key())).finish()
    }
}

impl Collector for ShadowMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let shadows = self.0.list_in_short();
        counters(
            &mut encoder,
            (
                "shadow_calls",
                None,
                "Calls of the shadow beside a plugin or a flow, by how they compare; from 0 again where another generation serves",
            ),
            shadows.iter().flat_map(|shadow| {
                // All of them, so that none begins late.
                shadow.counts.outcomes().map(|(outcome, count)| ([beside(shadow), ("outcome", outcome)], count))
            }),
        )?;
        gauges(
            &mut encoder,
            ("shadow_running", None, "1 while a newcomer stands beside it, 0 once the last one has ended"),
            shadows.iter().map(|shadow| (labels(shadow), u32::from(shadow.state == ShadowState::Running))),
        )?;
        gauges(
            &mut encoder,
            ("shadow_may_serve", None, "1 while it runs, and what was found lets it serve, else 0"),
            shadows.iter().map(|shadow| (labels(shadow), u32::from(shadow.may_serve))),
        )
    }
}

fn labels(shadow: &ShadowStatus) -> [(&'static str, &str); 1] {
    [beside(shadow)]
}

/// What it stands beside, a plugin or a flow.
fn beside(shadow: &ShadowStatus) -> (&'static str, &str) {
    if shadow.flow.is_empty() { ("plugin", &shadow.plugin) } else { ("flow", &shadow.flow) }
}
