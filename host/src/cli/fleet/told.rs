//! What a host tells of itself, and whether that is what a host tells.

use super::hosts::in_short;
use crate::cli::plugin::Client;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Names longer than this are no host's.
const NAME_BYTES_MAX: usize = 256;
/// More plugins, flows or reasons than this are no host's.
const ENTRIES_MAX: usize = 10_000;

/// The part of the overview that hosts are compared by.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Told {
    pub(super) host: HostTold,
    pub(super) plugins: BTreeMap<String, PluginTold>,
    #[serde(default)]
    pub(super) flows: BTreeMap<String, FlowTold>,
    #[serde(default)]
    hops: BTreeMap<String, HopTold>,
}

/// Of the host as a whole.
#[derive(Debug, Default, Deserialize)]
pub(super) struct HostTold {
    pub(super) version: String,
    started: String,
    time: String,
    pub(super) ready: bool,
    #[serde(default)]
    pub(super) obstacles: Vec<String>,
}

/// Of a plugin.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PluginTold {
    pub(super) state: String,
    #[serde(default)]
    pub(super) generation: Option<u64>,
    #[serde(default)]
    pub(super) digest: Option<String>,
}

/// Of a flow.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FlowTold {
    #[serde(default)]
    pub(super) state: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct HopTold {
    #[serde(default)]
    dropped: BTreeMap<String, u64>,
}

impl Told {
    /// Asks a host.
    ///
    /// # Errors
    /// When it gives no answer in time, or one that no host gives.
    pub(super) fn ask(client: &Client) -> Result<Self, String> {
        let told: Self = client.get("/overview").map_err(|error| in_short(&format!("{error:#}")))?;
        told.check()?;
        Ok(told)
    }

    fn check(&self) -> Result<(), String> {
        let wrong = |what: &str, text: &str| Err(format!("what answers is no host: {what} `{}`", in_short(text)));
        let counts = [self.plugins.len(), self.flows.len(), self.hops.len(), self.host.obstacles.len()];
        if counts.into_iter().any(|count| count > ENTRIES_MAX) {
            return Err(format!("what answers is no host: it tells of more than {ENTRIES_MAX} things of a kind"));
        }
        let names = self.plugins.keys().chain(self.flows.keys()).chain(self.hops.keys());
        let reasons = self.hops.values().flat_map(|hop| hop.dropped.keys());
        let states = self.plugins.values().map(|plugin| &plugin.state);
        let flow_states = self.flows.values().filter_map(|flow| flow.state.as_ref());
        let mut texts = names.chain(reasons).chain(states).chain(flow_states).chain([&self.host.version]);
        if let Some(name) = texts.find(|name| name.len() > NAME_BYTES_MAX) {
            return wrong("no name or state is as long as", name);
        }
        let is_digest = |text: &&String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digests = self.plugins.values().filter_map(|plugin| plugin.digest.as_ref());
        if let Some(digest) = digests.into_iter().find(|digest| !is_digest(digest)) {
            return wrong("no digest is", digest);
        }
        Ok(())
    }

    /// For how long it has run, by its own clock.
    pub(super) fn uptime_s(&self) -> Option<u64> {
        let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let passed = time(&self.host.time)?.duration_since(time(&self.host.started)?).as_secs();
        u64::try_from(passed).ok()
    }

    /// What was dropped, by reason, over all hops.
    pub(super) fn dropped(&self) -> BTreeMap<&str, u64> {
        let mut sums = BTreeMap::new();
        for (reason, count) in self.hops.values().flat_map(|hop| &hop.dropped).filter(|(_, count)| **count > 0) {
            let sum: &mut u64 = sums.entry(reason.as_str()).or_default();
            *sum = sum.saturating_add(*count);
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(plugin: serde_json::Value) -> Told {
        let overview = json!({
            "host": {"version": "1", "started": "2026-01-01T00:00:00Z", "time": "2026-01-01T00:01:40.5Z", "ready": true},
            "plugins": {"p": plugin},
            "hops": {"a": {"in": 9, "dropped": {"trapped": 2, "paused": 0}}, "b": {"dropped": {"trapped": 1}}},
        });
        serde_json::from_value(overview).unwrap()
    }

    #[test]
    fn what_a_host_tells_is_summed_up() {
        let told = told(json!({"state": "serving", "generation": 2, "digest": "ab".repeat(32)}));
        assert_eq!((told.check(), told.uptime_s()), (Ok(()), Some(100)));
        assert_eq!(told.dropped(), BTreeMap::from([("trapped", 3)]));
    }

    #[test]
    fn what_no_host_tells_is_refused() {
        for (plugin, words) in [
            (json!({"state": "serving", "digest": "\u{1b}[2J"}), "no digest is `\\u{1b}[2J`"),
            (json!({"state": "x".repeat(1_000)}), "as long as"),
        ] {
            let why = told(plugin).check().unwrap_err();
            assert!(why.contains(words) && why.len() < 1_000, "{why}");
        }
    }
}
