//! The plugins at a scrape. The counts of one plugin's calls are of one moment.

use super::durations::Durations;
use super::series::{counters, gauges, histograms, infos};
use crate::buckets::BucketStatus;
use crate::plugin::{SlotState, SlotStatus, Slots};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use std::fmt;
use std::sync::Arc;

const STATES: [(SlotState, &str); 4] = [
    (SlotState::Empty, "empty"),
    (SlotState::Serving, "serving"),
    (SlotState::RolledBack, "rolled-back"),
    (SlotState::Paused, "paused"),
];

pub(super) struct Plugins(pub(super) Arc<Slots>);

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.all().iter().map(|slot| slot.name().to_owned())).finish()
    }
}

impl Collector for Plugins {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let slots = self.0.all();
        let plugins: Vec<SlotStatus> = slots.iter().map(|slot| slot.status()).collect();
        calls(&mut encoder, &plugins)?;
        histograms(
            &mut encoder,
            ("plugin_call_duration", Some(Unit::Seconds), "How long the calls took that were let in"),
            slots.iter().map(|slot| ([("plugin", slot.name())], Durations(slot.durations()))),
        )?;
        gauges(
            &mut encoder,
            (
                "plugin_memory_high_water",
                Some(Unit::Bytes),
                "The most memory that any instance took since the generation began",
            ),
            plugins.iter().filter_map(|plugin| Some((labels(plugin), plugin.memory_bytes_high_water?))),
        )?;
        buckets(&mut encoder, &plugins)?;
        instances(&mut encoder, &plugins)?;
        generations(&mut encoder, &plugins)
    }
}

fn labels(plugin: &SlotStatus) -> [(&'static str, &str); 1] {
    [("plugin", &plugin.name)]
}

fn calls(encoder: &mut DescriptorEncoder, plugins: &[SlotStatus]) -> fmt::Result {
    counters(
        encoder,
        ("plugin_calls", None, "Calls of all generations; those refused, in flight and on trial included"),
        plugins.iter().map(|plugin| (labels(plugin), plugin.calls)),
    )?;
    counters(
        encoder,
        ("plugin_call_failures", None, "Calls that gave nothing to send, by kind"),
        plugins.iter().flat_map(|plugin| by_kind(plugin, &plugin.failures)),
    )?;
    gauges(
        encoder,
        ("plugin_calls_in_flight", None, "Calls that run now"),
        plugins.iter().map(|plugin| (labels(plugin), plugin.calls_in_flight)),
    )?;
    counters(
        encoder,
        ("plugin_denied", None, "Attempts of the guest at what no plugin may, by kind"),
        plugins.iter().flat_map(|plugin| by_kind(plugin, &plugin.denied)),
    )?;
    counters(
        encoder,
        ("plugin_log_lines_dropped", None, "Lines over log_lines_per_second_max"),
        plugins.iter().map(|plugin| (labels(plugin), plugin.log_lines_dropped)),
    )
}

fn by_kind<'a>(
    plugin: &'a SlotStatus,
    counts: &'a std::collections::BTreeMap<&'static str, u64>,
) -> impl Iterator<Item = ([(&'static str, &'a str); 2], u64)> {
    counts.iter().map(|(kind, count)| ([("plugin", &*plugin.name), ("kind", *kind)], *count))
}

fn buckets(encoder: &mut DescriptorEncoder, plugins: &[SlotStatus]) -> fmt::Result {
    gauges(
        encoder,
        ("plugin_bucket_keys", None, "Keys in a bucket"),
        plugins.iter().flat_map(|plugin| by_bucket(plugin, |bucket| bucket.keys)),
    )?;
    gauges(
        encoder,
        ("plugin_bucket_size", Some(Unit::Bytes), "What its keys and values take, as bytes_max counts it"),
        plugins.iter().flat_map(|plugin| by_bucket(plugin, |bucket| bucket.bytes)),
    )?;
    counters(
        encoder,
        ("plugin_bucket_refused", None, "Writes that were refused because the bucket was full"),
        plugins.iter().flat_map(|plugin| by_bucket(plugin, |bucket| bucket.refused)),
    )?;
    counters(
        encoder,
        ("plugin_bucket_expired", None, "Keys whose time, ttl_ms, was over"),
        plugins.iter().flat_map(|plugin| by_bucket(plugin, |bucket| bucket.expired)),
    )
}

fn by_bucket<'a>(
    plugin: &'a SlotStatus,
    count: impl Fn(&BucketStatus) -> u64 + 'a,
) -> impl Iterator<Item = ([(&'static str, &'a str); 2], u64)> {
    let labels = |name| [("plugin", &*plugin.name), ("bucket", name)];
    plugin.buckets.iter().map(move |(name, bucket)| (labels(&**name), count(bucket)))
}

fn instances(encoder: &mut DescriptorEncoder, plugins: &[SlotStatus]) -> fmt::Result {
    counters(
        encoder,
        ("plugin_instances_made", None, "Instances that were made: for calls, probes and examples"),
        plugins.iter().map(|plugin| (labels(plugin), plugin.instances_made)),
    )?;
    gauges(
        encoder,
        ("plugin_instances_warm", None, "New instances that wait for their first call"),
        plugins.iter().filter_map(|plugin| Some((labels(plugin), plugin.instances_warm?))),
    )?;
    infos(
        encoder,
        ("plugin_instances", None, "What the instances are when a call begins: reset, fresh or reused"),
        plugins.iter().filter_map(|plugin| {
            Some([("plugin", plugin.name.clone()), ("kind", plugin.isolation.as_ref()?.as_str().to_owned())])
        }),
    )
}

fn generations(encoder: &mut DescriptorEncoder, plugins: &[SlotStatus]) -> fmt::Result {
    infos(
        encoder,
        ("plugin_generation", None, "What serves"),
        plugins.iter().filter_map(|plugin| {
            Some([
                ("plugin", plugin.name.clone()),
                ("generation", plugin.generation?.to_string()),
                ("digest", plugin.digest.clone()?),
                ("contract", plugin.contract?.to_owned()),
            ])
        }),
    )?;
    gauges(
        encoder,
        ("plugin_state", None, "1 for what the plugin does at present, 0 for what it does not"),
        plugins.iter().flat_map(|plugin| {
            STATES.iter().map(move |(state, name)| {
                ([("plugin", &*plugin.name), ("state", *name)], u32::from(plugin.state == *state))
            })
        }),
    )?;
    gauges(
        encoder,
        ("plugin_source_condemned", None, "1 while the source holds bytes that were taken out of service, else 0"),
        plugins.iter().map(|plugin| (labels(plugin), u32::from(plugin.condemned.is_some()))),
    )?;
    counters(
        encoder,
        ("plugin_rollbacks", None, "How often it went back to an earlier generation"),
        plugins.iter().map(|plugin| (labels(plugin), plugin.rollbacks)),
    )?;
    counters(
        encoder,
        ("plugin_pauses", None, "How often it was paused"),
        plugins.iter().map(|plugin| (labels(plugin), plugin.pauses)),
    )
}
