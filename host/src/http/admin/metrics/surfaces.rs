//! The surfaces at a scrape, and whatever else counts for itself.

use super::series::{counters, gauges};
use crate::flow::{Kind, Statistics, Surfaces, Unit};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry;
use std::fmt;

/// Adds what a part of the host counts that is no surface.
pub type Counts = Box<dyn Fn(&mut Statistics) + Send + Sync>;

pub(super) struct SurfaceMetrics {
    pub(super) surfaces: Surfaces,
    pub(super) others: Vec<Counts>,
}

impl fmt::Debug for SurfaceMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.surfaces.all().iter().map(|surface| surface.name().to_owned())).finish()
    }
}

impl Collector for SurfaceMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut statistics = Statistics::default();
        self.surfaces.all().iter().for_each(|surface| surface.statistics(&mut statistics));
        self.others.iter().for_each(|add| add(&mut statistics));
        for family in statistics.into_families() {
            let (name, unit, says) = family.described;
            let unit = unit.map(|Unit::Bytes| registry::Unit::Bytes);
            match family.kind {
                Kind::Counter => counters(&mut encoder, (name, unit, says), family.samples)?,
                Kind::Gauge => gauges(&mut encoder, (name, unit, says), family.samples)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    #[test]
    fn what_parts_count_is_told_by_name_and_label() {
        let socket = |name: &'static str, messages| -> Counts {
            Box::new(move |statistics| {
                let mut counted = statistics.of(Some(("socket", name)));
                counted.counters_by(("socket_messages", None, "Messages"), "direction", [("out", messages)]);
                counted.gauge(("socket_queue_longest", Some(Unit::Bytes), "Bytes queued"), messages * 10);
                counted.counters_by(("socket_refused", None, "Refused"), "reason", <[(&str, u64); 0]>::default());
            })
        };
        let mut registry = Registry::default();
        let others = vec![socket("publish", 7), socket("frontend", 3)];
        registry.register_collector(Box::new(SurfaceMetrics { surfaces: Surfaces::default(), others }));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "socket_messages_total{socket=\"publish\",direction=\"out\"} 7",
            "socket_messages_total{socket=\"frontend\",direction=\"out\"} 3",
            "socket_queue_longest_bytes{socket=\"publish\"} 70",
            "# TYPE socket_refused counter",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is not in\n{text}");
        }
        assert_eq!(text.matches("# TYPE socket_messages ").count(), 1, "{text}");
    }
}
