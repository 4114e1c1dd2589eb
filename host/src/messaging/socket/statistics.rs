//! The statistics of each ZeroMQ socket: its traffic and its peers.

use crate::config::{ADMIN_PEERS_MAX, METRICS_PEERS_MAX};
use crate::flow::{PeerList, PeerStatus, Statistics, Unit, identity_text};
use crate::ledger::{Hop, PeerQueues};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The statistics of one socket. The thread that owns the socket writes them, and any thread may read them.
#[derive(Debug, Default)]
pub struct SocketStatistics {
    /// Messages that came in.
    pub messages_in: AtomicU64,
    /// Bytes of their frames.
    pub bytes_in: AtomicU64,
    /// Messages handed to libzmq.
    pub messages_out: AtomicU64,
    /// Bytes of their frames.
    pub bytes_out: AtomicU64,
    /// Subscriptions at present.
    pub subscriptions: AtomicU64,
    /// Peers whose connection or service was ended: they did not read, sent or changed more than a peer may, made no
    /// handshake, or their key was taken off the list.
    pub cut_off: AtomicU64,
    /// The messages that were thrown away with the queues of its peers.
    pub peer_queues: PeerQueues,
    connections: Mutex<Connections>,
}

/// Knows CURVE keys by name.
pub(crate) trait KeyNames: Debug + Send + Sync {
    /// The name that a key, in Z85, has now; none if it is not known.
    fn name_of(&self, key: &str) -> Option<String>;
}

#[derive(Debug, Default)]
struct Connections {
    /// By the descriptor of their connection.
    peers: BTreeMap<i32, PeerStatistics>,
    handshakes_refused: BTreeMap<&'static str, u64>,
    /// Where its peers show keys that are listed here.
    key_names: Option<Arc<dyn KeyNames>>,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatistics {
    /// Its address, such as `127.0.0.1:40112`.
    pub address: String,
    /// Its CURVE key in Z85, as soon as it has sent something.
    pub key: Option<String>,
    /// The identity under which it is sent to, as soon as it has sent something to a ROUTER.
    pub identity: Option<Vec<u8>>,
    /// When it connected.
    pub connected_at: jiff::Timestamp,
    /// It was connected to from here.
    pub is_outgoing: bool,
    /// How many subscriptions it has.
    pub subscriptions: u64,
    /// Messages queued to it in libzmq when that was last asked for.
    pub queue_messages: u64,
    /// Bytes of these, with what each frame takes in the queue.
    pub queue_bytes: u64,
}

impl SocketStatistics {
    /// For the socket in which `hop` ends.
    pub(crate) fn after(hop: &Hop) -> Self {
        Self { peer_queues: hop.peer_queues().clone(), ..Self::default() }
    }

    /// The peers that are connected now.
    pub fn peers(&self) -> Vec<PeerStatistics> {
        self.lock().peers.values().cloned().collect()
    }

    /// The same as the operator sees them.
    pub(crate) fn peer_list(&self) -> PeerList {
        let (peers, key_names) = {
            let connections = self.lock();
            (connections.peers.clone(), connections.key_names.clone())
        };
        let listed = |(descriptor, peer): (i32, PeerStatistics)| {
            let key_name = peer.key.as_deref().and_then(|key| key_names.as_deref()?.name_of(key));
            (u64::try_from(descriptor).unwrap_or_default(), PeerStatus { key_name, ..peer.status() })
        };
        PeerList::of(peers.into_iter().map(listed), ADMIN_PEERS_MAX)
    }

    /// From now on the keys of its peers have these names.
    pub(crate) fn set_key_names(&self, key_names: Arc<dyn KeyNames>) {
        self.lock().key_names = Some(key_names);
    }

    /// How many peers are connected now.
    pub fn peer_count(&self) -> usize {
        self.lock().peers.len()
    }

    /// Connections that did not get past their handshake, by reason.
    pub fn handshakes_refused(&self) -> BTreeMap<&'static str, u64> {
        self.lock().handshakes_refused.clone()
    }

    /// Peers that have a subscription now.
    pub fn subscriber_count(&self) -> usize {
        self.lock().peers.values().filter(|peer| peer.subscriptions > 0).count()
    }

    /// Adds all of them, under the name of the socket.
    pub(crate) fn add_to(&self, statistics: &mut Statistics, socket: &str) {
        let mut counted = statistics.of(Some(("socket", socket)));
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        counted.counters_by(
            ("socket_messages", None, "Messages that came in, or were handed to libzmq"),
            "direction",
            [("in", read(&self.messages_in)), ("out", read(&self.messages_out))],
        );
        counted.counters_by(
            ("socket", Some(Unit::Bytes), "Bytes of their frames"),
            "direction",
            [("in", read(&self.bytes_in)), ("out", read(&self.bytes_out))],
        );
        counted.gauge(("socket_subscriptions", None, "Subscriptions at present"), read(&self.subscriptions));
        counted.counter(("socket_peers_cut_off", None, "Peers whose connection the host ended"), read(&self.cut_off));
        counted.counter(
            ("socket_messages_cut_off", None, "Messages that were queued to a peer when it was cut off or went"),
            self.peer_queues.cut_off(),
        );
        counted.counter(
            ("socket_messages_unread", None, "Messages that had come from a peer and were not read when it went"),
            self.peer_queues.unread(),
        );
        counted.counters_by(
            ("socket_handshakes_refused", None, "Connections that did not get past their handshake, by reason"),
            "reason",
            self.handshakes_refused(),
        );
        let peers = self.peers();
        counted.gauge(("socket_peers", None, "Peers that are connected now"), peers.len() as u64);
        counted.gauge(
            ("socket_queue_messages_longest", None, "Messages queued to the peer that is furthest behind"),
            peers.iter().map(|peer| peer.queue_messages).max().unwrap_or_default(),
        );
        counted.gauges_by(
            ("socket_queue_messages", None, "Messages queued to a peer, of those with the longest queues"),
            "peer",
            longest(&peers),
        );
        counted.gauge(
            ("socket_queue_longest", Some(Unit::Bytes), "Bytes queued to the peer that has most of them"),
            peers.iter().map(|peer| peer.queue_bytes).max().unwrap_or_default(),
        );
    }

    pub(super) fn put_peer(&self, descriptor: i32, peer: PeerStatistics) {
        self.lock().peers.insert(descriptor, peer);
    }

    pub(super) fn remove_peer(&self, descriptor: i32) {
        self.lock().peers.remove(&descriptor);
    }

    pub(super) fn count_refused_handshake(&self, reason: &'static str) {
        *self.lock().handshakes_refused.entry(reason).or_default() += 1;
    }

    pub(crate) fn count_in(&self, bytes: usize) {
        self.messages_in.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, bytes: usize) {
        self.messages_out.fetch_add(1, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerStatistics {
    fn status(self) -> PeerStatus {
        PeerStatus {
            protocol: "zmtp",
            subprotocol: None,
            address: self.address,
            key: self.key,
            key_name: None,
            identity: self.identity.filter(|identity| !identity.is_empty()).map(|identity| identity_text(&identity)),
            connected_at: format!("{:.3}", self.connected_at),
            outgoing: self.is_outgoing,
            subscriptions: self.subscriptions,
            queue_messages: self.queue_messages,
            queue_bytes: self.queue_bytes,
        }
    }
}

/// The peers with the longest queues, one for each address: two series with the same labels would make the whole answer
/// invalid.
fn longest(peers: &[PeerStatistics]) -> Vec<(&str, u64)> {
    let mut by_address = BTreeMap::<&str, u64>::new();
    for peer in peers {
        let queued = by_address.entry(&peer.address).or_default();
        *queued = (*queued).max(peer.queue_messages);
    }
    let mut longest: Vec<_> = by_address.into_iter().collect();
    longest.sort_by_key(|(_, queued)| std::cmp::Reverse(*queued));
    longest.truncate(METRICS_PEERS_MAX);
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_peers_those_furthest_behind_are_told() {
        let peer = |address, queue_messages| PeerStatistics {
            address,
            key: None,
            identity: None,
            connected_at: jiff::Timestamp::UNIX_EPOCH,
            is_outgoing: false,
            subscriptions: 0,
            queue_messages,
            queue_bytes: 0,
        };
        let mut peers: Vec<_> = (0..500).map(|number| peer(format!("127.0.0.1:{number}"), number)).collect();
        peers.push(peer("127.0.0.1:499".to_owned(), 1_000));
        let longest_queues = longest(&peers);
        assert_eq!(longest_queues.len(), METRICS_PEERS_MAX);
        assert_eq!(
            (longest_queues[0], longest_queues[1], longest_queues[99]),
            (("127.0.0.1:499", 1_000), ("127.0.0.1:498", 498), ("127.0.0.1:400", 400))
        );
    }
}
