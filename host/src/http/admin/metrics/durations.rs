//! The durations of calls at a scrape, in the buckets that are told there.

use crate::plugin::DurationCounts;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::time::Duration;

/// From a call in a fresh instance of a small guest, 10 µs, to calls with a long deadline. Each is a bound by which calls
/// are counted.
const BUCKETS_US: [u64; 19] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// Calls by how long they took.
pub(super) struct Durations(pub(super) DurationCounts);

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let Self(counts) = self;
        let mut below = 0;
        let mut bucket = |up_to: u64, bound: f64| {
            let here = up_to - below;
            below = up_to;
            (bound, here)
        };
        let mut buckets: Vec<_> = BUCKETS_US
            .iter()
            .map(|us| Duration::from_micros(*us))
            .map(|bound| bucket(counts.up_to(bound), bound.as_secs_f64()))
            .collect();
        buckets.push(bucket(counts.calls(), f64::INFINITY));
        encoder.encode_histogram::<NoLabelSet>(counts.sum().as_secs_f64(), counts.calls(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
