//! The clients of a socket, as the operator sees them.

use super::peers::Queue;
use crate::config::ADMIN_PEERS_MAX;
use crate::flow::{Client, PeerList, PeerStatus, identity_text};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All whose handshake of ZWS is over.
#[derive(Default)]
pub(super) struct Clients(Mutex<Connected>);

#[derive(Default)]
struct Connected {
    by_number: BTreeMap<u64, Listed>,
    /// The number of the last one.
    last: u64,
}

/// One client.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) client: Client,
    /// Empty if it has none.
    pub(super) identity: Bytes,
    /// What waits for it, if anything is ever sent to it.
    pub(super) queue: Option<Arc<Queue>>,
}

/// Takes a client off the list when it is dropped.
pub(super) struct Entry<'a> {
    clients: &'a Clients,
    number: u64,
}

impl Clients {
    /// Lists one until the entry is dropped.
    pub(super) fn add(&self, listed: Listed) -> Entry<'_> {
        let mut connected = self.lock();
        connected.last += 1;
        let number = connected.last;
        connected.by_number.insert(number, listed);
        Entry { clients: self, number }
    }

    /// Those that are connected now.
    pub(super) fn list(&self) -> PeerList {
        let listed = self.lock().by_number.clone();
        PeerList::of(listed.into_iter().map(|(number, listed)| (number, listed.status())), ADMIN_PEERS_MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Connected> {
        // It is whole at every panic: each change is a few assignments.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    fn status(self) -> PeerStatus {
        let depth = |of: fn(&Queue) -> usize| self.queue.as_deref().map_or(0, |queue| of(queue) as u64);
        PeerStatus {
            identity: (!self.identity.is_empty()).then(|| identity_text(&self.identity)),
            queue_messages: depth(Queue::len),
            queue_bytes: depth(Queue::bytes),
            ..self.client.status()
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.clients.lock().by_number.remove(&self.number);
    }
}
