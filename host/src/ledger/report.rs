//! The whole ledger as it is told: every hop, and every plugin's own.

use super::{Figures, Ledger, PeerQueues};
use serde::{Serialize, Serializer};

/// The figures of all hops and plugins. Those of one hop are of one moment; hops are read one after the other.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// By name, in the order of the data paths.
    #[serde(serialize_with = "as_map")]
    pub hops: Vec<(&'static str, Figures)>,
    /// By name; calls, whatever asked for them.
    #[serde(serialize_with = "as_map")]
    pub plugins: Vec<(String, Figures)>,
    /// By the name of the socket: what went with the queues of its peers.
    #[serde(serialize_with = "as_map")]
    pub sockets: Vec<(&'static str, PeerQueues)>,
}

impl Report {
    /// Reads the hops now; `plugins` brings the figures of each plugin.
    pub fn new(ledger: &Ledger, plugins: Vec<(String, Figures)>) -> Self {
        let hops = ledger.hops().into_iter().map(|(name, hop)| (name, hop.figures())).collect();
        let sockets = ledger.sockets().map(|(name, queues)| (name, queues.clone())).to_vec();
        Self { hops, plugins, sockets }
    }
}

fn as_map<N: Serialize, F: Serialize, S: Serializer>(figures: &[(N, F)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(figures.iter().map(|(name, figures)| (name, figures)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Reason;

    #[test]
    fn each_hop_and_plugin_tells_all_its_figures() {
        let ledger = Ledger::default();
        ledger.http.enter().out();
        ledger.http.refuse(Reason::QueueFull);
        let plugins = vec![("downcase".to_owned(), Figures { entered: 1, in_flight: 1, ..Figures::default() })];
        let told = serde_json::to_value(Report::new(&ledger, plugins)).unwrap();
        let http = serde_json::json!({"in": 2, "out": 1, "in_flight": 0, "dropped": {"queue-full": 1}});
        assert_eq!(told["hops"]["http"], http);
        assert_eq!(told["hops"].as_object().unwrap().len(), 8);
        assert_eq!(
            told["plugins"],
            serde_json::json!({"downcase": {"in": 1, "out": 0, "in_flight": 1, "dropped": {}}})
        );
        ledger.publish.peer_queues().counts()[0].store(3, std::sync::atomic::Ordering::Relaxed);
        let told = serde_json::to_value(Report::new(&ledger, Vec::new())).unwrap();
        let sockets =
            serde_json::json!({"publish": {"cut-off": 3, "unread": 0}, "frontend": {"cut-off": 0, "unread": 0}});
        assert_eq!(told["sockets"], sockets);
    }
}
