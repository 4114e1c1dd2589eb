//! The report of the whole ledger: the counts of every hop, plugin and socket.

use super::{HopCounts, Ledger, PeerQueueCounts};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// The counts of all hops and plugins. Those of one hop are of one moment; hops are read one after the other.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// By name, in the order of the ledger.
    #[serde(serialize_with = "as_map")]
    pub hops: Vec<(Arc<str>, HopCounts)>,
    /// By name: the calls of each plugin, in whatever role.
    #[serde(serialize_with = "as_map")]
    pub plugins: Vec<(String, HopCounts)>,
    /// By the name of the socket: what was thrown away with the queues of its peers.
    #[serde(serialize_with = "as_map")]
    pub sockets: Vec<(Arc<str>, PeerQueueCounts)>,
}

impl Report {
    /// Reads the hops now; `plugins` are the counts of each plugin.
    pub fn new(ledger: &Ledger, plugins: Vec<(String, HopCounts)>) -> Self {
        let hops = ledger.hops().into_iter().map(|(name, hop)| (name, hop.figures())).collect();
        let sockets = ledger.sockets().into_iter().map(|(name, queues)| (name, queues.figures())).collect();
        Self { hops, plugins, sockets }
    }

    /// About how much it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let counts = |name: &str, counts: &HopCounts| ROW_BYTES + name.len() + counts.dropped.len() * REASON_BYTES;
        let hops: usize = self.hops.iter().map(|(name, hop)| counts(name, hop)).sum();
        let plugins: usize = self.plugins.iter().map(|(name, plugin)| counts(name, plugin)).sum();
        hops + plugins + self.sockets.len() * ROW_BYTES
    }
}

/// What a row takes in memory without its name and reasons, and what a reason takes.
const ROW_BYTES: usize = 128;
const REASON_BYTES: usize = 32;

pub(super) fn as_map<N: AsRef<str>, C: Serialize, S: Serializer>(
    entries: &[(N, C)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(name, counts)| (name.as_ref(), counts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Reason;

    #[test]
    fn each_hop_and_plugin_reports_all_its_counts() {
        let ledger = Ledger::default();
        let (http, publish) = (ledger.hop("http"), ledger.hop("publish"));
        http.enter().out();
        ledger.hop("http").refuse(Reason::QueueFull);
        ledger.name_socket("publish", &publish);
        let plugins = vec![("downcase".to_owned(), HopCounts { entered: 1, in_flight: 1, ..HopCounts::default() })];
        let json = serde_json::to_value(Report::new(&ledger, plugins)).unwrap();
        let http = serde_json::json!({"in": 2, "out": 1, "in_flight": 0, "dropped": {"queue-full": 1}});
        assert_eq!(json["hops"]["http"], http);
        assert_eq!(json["hops"].as_object().unwrap().len(), 2);
        assert_eq!(
            json["plugins"],
            serde_json::json!({"downcase": {"in": 1, "out": 0, "in_flight": 1, "dropped": {}}})
        );
        publish.peer_queues().counts()[0].store(3, std::sync::atomic::Ordering::Relaxed);
        let json = serde_json::to_value(Report::new(&ledger, Vec::new())).unwrap();
        assert_eq!(json["sockets"], serde_json::json!({"publish": {"cut-off": 3, "unread": 0}}));
    }
}
