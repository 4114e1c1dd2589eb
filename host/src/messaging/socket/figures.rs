//! What each ZeroMQ socket tells of its traffic and its peers, for whoever watches the host.

use crate::ledger::{Hop, PeerQueues};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The figures of one socket. The thread that owns the socket writes them, anybody reads them.
#[derive(Debug, Default)]
pub struct SocketFigures {
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
    /// What went with the queues of its peers.
    pub peer_queues: PeerQueues,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the descriptor of their connection.
    peers: BTreeMap<i32, PeerFigures>,
    handshakes_refused: BTreeMap<&'static str, u64>,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PeerFigures {
    /// Its address, such as `127.0.0.1:40112`.
    pub address: String,
    /// Its CURVE key in Z85, as soon as it has sent something.
    pub key: Option<String>,
    /// How many subscriptions it has.
    pub subscriptions: u64,
    /// Messages queued to it in libzmq when that was last looked at.
    pub queue_messages: u64,
    /// Bytes of these, with what each frame takes in the queue.
    pub queue_bytes: u64,
}

impl SocketFigures {
    /// Of the socket in which `hop` ends.
    pub(crate) fn after(hop: &Hop) -> Self {
        Self { peer_queues: hop.peer_queues().clone(), ..Self::default() }
    }

    /// The peers that are connected now.
    pub fn peers(&self) -> Vec<PeerFigures> {
        self.lock().peers.values().cloned().collect()
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

    pub(super) fn put_peer(&self, descriptor: i32, peer: PeerFigures) {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
