//! The host's own log at a scrape.

use super::LinesLost;
use super::series::counters;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;

pub(super) struct Log(pub(super) LinesLost);

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&(self.0)()).finish()
    }
}

impl Collector for Log {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        counters(
            &mut encoder,
            ("log_lines_dropped", None, "Lines of the log that were not written, by reason"),
            (self.0)().map(|(reason, count)| ([("reason", reason)], count)),
        )
    }
}
