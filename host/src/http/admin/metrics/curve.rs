//! The CURVE keys at a scrape.

use super::series::{counter, counters, gauge};
use crate::messaging::Curve;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;

/// None where the sockets speak no CURVE.
#[derive(Debug)]
pub(super) struct Keys(pub(super) Option<Curve>);

impl Collector for Keys {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(curve) = &self.0 else { return Ok(()) };
        gauge(&mut encoder, ("curve_authorized_keys", None, "Keys that are let in"), curve.keys().count() as u64)?;
        counter(
            &mut encoder,
            ("curve_reload_failures", None, "Looks at the authorized keys that failed, and files without a key"),
            curve.keys().reload_failures(),
        )?;
        counters(
            &mut encoder,
            ("curve_denials", None, "Handshakes that were denied, by reason"),
            curve.denials().into_iter().map(|(reason, count)| ([("reason", reason)], count)),
        )
    }
}
