//! The status of a slot, as the admin surface tells it.

use super::condemned::{Condemnation, CondemnedBy};
use super::history::{HistoryView, RefusedGeneration, RolledBack};
use crate::buckets::BucketStatus;
use crate::config::{Limits, Place};
use crate::plugin::role::{Contract, RoleName};
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::plugin_state::PluginState;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a slot does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotState {
    /// Nothing is loaded.
    Empty,
    /// A generation serves.
    Serving,
    /// A generation serves because a newer one failed too often, or because what the source holds is condemned.
    RolledBack,
    /// The generation kept failing and is not called for a while, or the operator has paused it.
    Paused,
}

/// All that the admin surface reports of a slot.
#[derive(Clone, Debug, Serialize)]
pub struct SlotStatus {
    /// The plugin's name.
    pub name: String,
    /// Where it is loaded from: a file, or a reference in a registry.
    pub source: String,
    /// What it does at present.
    pub state: SlotState,
    /// The generation that serves, from 1.
    pub generation: Option<u64>,
    /// SHA-256 of its component.
    pub digest: Option<String>,
    /// The digest of the artifact that it was pulled as, if it comes from a registry.
    pub artifact: Option<String>,
    /// The component's size.
    pub size_bytes: Option<usize>,
    /// The version of the contract that it was built against.
    pub contract: Option<&'static str>,
    /// What it serves.
    pub roles: Vec<RoleName>,
    /// The interfaces with functions that it imports.
    pub imports: Vec<String>,
    /// What its instances are when a call begins in them.
    #[serde(rename = "instances", serialize_with = "as_text")]
    pub isolation: Option<Isolation>,
    /// How many were made since the start, of all generations; those for probes and examples included.
    pub instances_made: u64,
    /// New ones that wait for their first call.
    pub instances_warm: Option<usize>,
    /// How many new ones are to wait.
    pub warm: u32,
    /// How many calls one instance serves.
    pub reuse: u32,
    /// Its bounds.
    pub limits: Limits,
    /// Calls since the start, of all generations; the refused ones, those that run and trials included.
    pub calls: u64,
    /// Those of the generation that serves.
    pub generation_calls: Option<u64>,
    /// How many of those gave nothing to send.
    pub generation_failures: Option<u64>,
    /// How many are running, as of the same moment.
    pub calls_in_flight: u64,
    /// Those that gave nothing to send, by reason; likewise.
    pub failures: BTreeMap<&'static str, u64>,
    /// The most memory that any instance took since the generation began.
    pub memory_bytes_high_water: Option<usize>,
    /// How often it went back to an earlier generation.
    pub rollbacks: u64,
    /// How often it was paused.
    pub pauses: u64,
    /// Whether the operator has paused it.
    pub held: bool,
    /// How long the present pause still lasts, in milliseconds; none where it lasts until the operator ends it.
    pub retry_after_ms: Option<u64>,
    /// What it may keep between its calls, by the name of each bucket.
    pub buckets: BTreeMap<String, BucketStatus>,
    /// Attempts of its guests at sockets, name look-ups, stdin, and hosts and buckets that are not granted, by kind.
    pub denied: BTreeMap<&'static str, u64>,
    /// Log lines over its bound.
    pub log_lines_dropped: u64,
    /// The generations that it can go back to, the latest first.
    pub previous: Vec<Previous>,
    /// What was last refused.
    pub last_refused: Option<RefusedGeneration>,
    /// Why the serving generation was gone back to, if it was.
    pub rolled_back: Option<RolledBack>,
    /// Why the bytes that the source holds are refused, if they are condemned.
    pub condemned: Option<Condemnation>,
    /// What is not as it should be, in a sentence.
    pub notice: Option<String>,
}

/// A generation to go back to.
#[derive(Clone, Debug, Serialize)]
pub struct Previous {
    /// Its number.
    pub generation: u64,
    /// SHA-256 of its component.
    pub digest: String,
}

/// Serializes the text that people read.
fn as_text<S: serde::Serializer>(isolation: &Option<Isolation>, serializer: S) -> Result<S::Ok, S::Error> {
    isolation.as_ref().map(ToString::to_string).serialize(serializer)
}

impl SlotStatus {
    pub(super) fn of(source: &Place, plugin_state: &PluginState, history: HistoryView) -> Self {
        let serving = history.serving.as_deref();
        let plugin = serving.map(|generation| &generation.plugin);
        let paused_for = serving.and_then(|generation| generation.health.paused_for());
        let state = state(&history, paused_for);
        let notice = notice(&history, paused_for);
        let generation_counts = serving.map(|generation| generation.counts.read());
        let calls = plugin_state.hop.figures();
        Self {
            name: plugin_state.name.clone(),
            source: source.to_string(),
            state,
            generation: serving.map(|generation| generation.served_by.generation),
            digest: serving.map(|generation| generation.served_by.digest.clone()),
            artifact: serving.and_then(|generation| generation.served_by.artifact.clone()),
            size_bytes: plugin.map(|plugin| plugin.size_bytes),
            contract: plugin.and_then(|plugin| plugin.contract()).map(Contract::as_str),
            roles: plugin.map(|plugin| plugin.roles().collect()).unwrap_or_default(),
            imports: plugin.map(|plugin| plugin.imports.clone()).unwrap_or_default(),
            isolation: plugin.map(|plugin| plugin.isolation().clone()),
            instances_made: plugin_state.instances_made.load(Ordering::Relaxed),
            instances_warm: serving.map(|generation| generation.idle.warm.ready()),
            warm: plugin_state.warm,
            reuse: plugin_state.reuse,
            limits: plugin_state.limits.clone(),
            calls: calls.entered,
            generation_calls: generation_counts.map(|(calls, _)| calls),
            generation_failures: generation_counts.map(|(_, failures)| failures),
            calls_in_flight: calls.in_flight,
            failures: calls.dropped.iter().map(|(reason, count)| (reason.as_str(), *count)).collect(),
            memory_bytes_high_water: serving.map(|generation| generation.idle.warm.memory.bytes()),
            rollbacks: history.rollbacks,
            pauses: history.pauses,
            held: serving.is_some_and(|generation| generation.health.is_held()),
            retry_after_ms: paused_for.map(|rest| rest.as_millis() as u64),
            buckets: plugin_state.buckets.status(),
            denied: plugin_state.denied.counts(),
            log_lines_dropped: plugin_state.lines_dropped(),
            previous: history
                .previous
                .iter()
                .map(|served_by| Previous { generation: served_by.generation, digest: served_by.digest.clone() })
                .collect(),
            last_refused: history.last_refused,
            rolled_back: history.rolled_back,
            condemned: history.condemned.map(Arc::unwrap_or_clone),
            notice,
        }
    }
}

/// What is the matter with the plugin of this name, in a line; none if it serves as it should.
pub(super) fn complaint(plugin: &str, history: &HistoryView) -> Option<String> {
    let paused_for = history.serving.as_ref().and_then(|generation| generation.health.paused_for());
    if state(history, paused_for) == SlotState::Serving {
        return None;
    }
    Some(match notice(history, paused_for) {
        Some(notice) => format!("plugin {plugin}: {notice}"),
        None => match &history.last_refused {
            Some(refused) => format!("plugin {plugin} is not loaded: refused at {}", refused.stage),
            None => format!("plugin {plugin} is not loaded: its source has given nothing yet"),
        },
    })
}

fn state(history: &HistoryView, paused_for: Option<Duration>) -> SlotState {
    match &history.serving {
        None => SlotState::Empty,
        Some(_) if paused_for.is_some() => SlotState::Paused,
        Some(serving) if serving.health.is_held() => SlotState::Paused,
        Some(_) if is_degraded(history) => SlotState::RolledBack,
        Some(_) => SlotState::Serving,
    }
}

/// Whether something else serves than what was last put there.
fn is_degraded(history: &HistoryView) -> bool {
    let rolled_back_by = history.rolled_back.as_ref().map(|rolled_back| rolled_back.by);
    history.condemned.is_some() || rolled_back_by == Some(CondemnedBy::Host)
}

/// What is not as it should be, without the names of files: whoever asks for readiness reads it.
fn notice(history: &HistoryView, paused_for: Option<Duration>) -> Option<String> {
    let mut sentences = Vec::new();
    match (&history.serving, &history.rolled_back) {
        (Some(serving), rolled_back) => {
            let generation = serving.served_by.generation;
            if let Some(rest) = paused_for {
                let rest = rest.as_millis();
                sentences.push(format!("generation {generation} keeps failing and is paused for {rest} ms more"));
            }
            if serving.health.is_held() {
                sentences.push(format!("generation {generation} is paused, as asked, until it is resumed"));
            }
            if let Some(RolledBack { from, reason, at, .. }) = rolled_back {
                sentences.push(format!("generation {generation} serves, rolled back from {from} at {at}: {reason}"));
            }
            if let Some(Condemnation { digest, at, reason, .. }) = history.condemned.as_deref() {
                let digest = &digest[..12];
                sentences.push(match rolled_back {
                    Some(_) => format!("the source still holds the condemned bytes {digest}: put others there"),
                    None => format!(
                        "generation {generation} serves in place of what the source holds: {digest} was taken out of \
                         service at {at}: {reason}; put others there"
                    ),
                });
            }
        }
        (None, _) if history.condemned.is_some() => {
            let refused = history.last_refused.as_ref().map(|refused| refused.reason.as_str());
            sentences.push(format!("nothing serves: {}", refused.unwrap_or("its bytes are condemned")));
        }
        (None, _) => {}
    }
    (!sentences.is_empty()).then(|| sentences.join("; "))
}
