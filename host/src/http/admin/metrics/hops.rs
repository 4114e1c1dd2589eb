//! The ledger's hops at a scrape. The counts of one hop are of one moment.

use super::series::{counters, gauges};
use crate::ledger::Ledger;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;

#[derive(Debug)]
pub(super) struct HopMetrics(pub(super) Ledger);

impl Collector for HopMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let hops: Vec<_> = self.0.hops().into_iter().map(|(hop, counted)| (hop, counted.figures())).collect();
        counters(
            &mut encoder,
            ("hop_in", None, "What came in at the hop"),
            hops.iter().map(|(hop, counts)| ([("hop", &**hop)], counts.entered)),
        )?;
        counters(
            &mut encoder,
            ("hop_out", None, "What went out"),
            hops.iter().map(|(hop, counts)| ([("hop", &**hop)], counts.out)),
        )?;
        counters(
            &mut encoder,
            ("hop_dropped", None, "What did not go out, by reason"),
            hops.iter().flat_map(|(hop, counts)| {
                let dropped = counts.dropped.iter();
                dropped.map(move |(reason, count)| ([("hop", &**hop), ("reason", reason.as_str())], *count))
            }),
        )?;
        gauges(
            &mut encoder,
            ("hop_in_flight", None, "What is inside now; in = out + dropped + in flight"),
            hops.iter().map(|(hop, counts)| ([("hop", &**hop)], counts.in_flight)),
        )
    }
}
