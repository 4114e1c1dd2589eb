//! Metrics of several series: one name, one kind, and a value for each set of labels.

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use std::fmt;

/// What a metric is called, in which unit it is, and what it says. The unit ends the name.
pub(super) type Described<'a> = (&'a str, Option<Unit>, &'a str);

/// Adds totals since the start.
///
/// # Errors
/// When the encoder cannot write.
pub(super) fn counters<L: EncodeLabelSet, V: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder,
    (name, unit, says): Described,
    series: impl IntoIterator<Item = (L, V)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, says, unit.as_ref(), MetricType::Counter)?;
    for (labels, value) in series {
        ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Adds values of the present moment.
///
/// # Errors
/// When the encoder cannot write.
pub(super) fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder,
    (name, unit, says): Described,
    series: impl IntoIterator<Item = (L, V)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, says, unit.as_ref(), MetricType::Gauge)?;
    for (labels, value) in series {
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Adds distributions.
///
/// # Errors
/// When the encoder cannot write.
pub(super) fn histograms<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    (name, unit, says): Described,
    series: impl IntoIterator<Item = (L, impl EncodeMetric)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, says, unit.as_ref(), MetricType::Histogram)?;
    for (labels, histogram) in series {
        histogram.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Adds facts that are text, in their labels. `_info` ends the name.
///
/// # Errors
/// When the encoder cannot write.
pub(super) fn infos<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    (name, unit, says): Described,
    series: impl IntoIterator<Item = L>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, says, unit.as_ref(), MetricType::Info)?;
    for labels in series {
        family.encode_info(&labels)?;
    }
    Ok(())
}

/// Adds a single total.
///
/// # Errors
/// When the encoder cannot write.
pub(super) fn counter(
    encoder: &mut DescriptorEncoder,
    (name, unit, says): Described,
    value: impl EncodeCounterValue,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, says, unit.as_ref(), MetricType::Counter)?;
    metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
}

/// Adds a single value of the present moment.
///
/// # Errors
/// When the encoder cannot write.
pub(super) fn gauge(
    encoder: &mut DescriptorEncoder,
    (name, unit, says): Described,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    encoder.encode_descriptor(name, says, unit.as_ref(), MetricType::Gauge)?.encode_gauge(&value)
}
