//! The peers of a surface, as the operator sees them.

use serde::Serialize;
use std::collections::BTreeMap;

/// Who is connected to a surface, or to whom it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PeerList {
    /// How many there are.
    pub count: u64,
    /// Those that the most is queued to, by the numbers of their connections.
    pub peers: BTreeMap<u64, PeerStatus>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeerStatus {
    /// What it speaks: `zmtp`, `websocket`, `sse`.
    pub protocol: &'static str,
    /// Which of the subprotocols of its WebSocket, where it asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subprotocol: Option<&'static str>,
    /// Its address, such as `127.0.0.1:40112`.
    pub address: String,
    /// The CURVE key that it showed, in Z85, as soon as it has sent something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name of the file that authorizes this key now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    /// Its identity: as it is where that is plain text, else `0x` and its bytes in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// When it connected, as RFC 3339 has it.
    pub connected_at: String,
    /// It was connected to from here.
    pub outgoing: bool,
    /// How many subscriptions it has.
    pub subscriptions: u64,
    /// Messages queued to it when that was last looked at.
    pub queue_messages: u64,
    /// Their bytes.
    pub queue_bytes: u64,
}

impl PeerList {
    /// Of all peers, with their numbers, at most so many.
    pub fn of(peers: impl IntoIterator<Item = (u64, PeerStatus)>, max: usize) -> Self {
        let mut peers: Vec<_> = peers.into_iter().collect();
        let count = peers.len() as u64;
        if peers.len() > max {
            // Of those with the same queue the oldest: then the list is the same at the next look.
            peers.sort_by_key(|(number, peer)| (std::cmp::Reverse((peer.queue_bytes, peer.queue_messages)), *number));
            peers.truncate(max);
        }
        Self { count, peers: peers.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Client;

    fn peer(queue_bytes: u64) -> PeerStatus {
        PeerStatus { queue_bytes, ..Client::new("zmtp", None, ([127, 0, 0, 1], 1).into()).status() }
    }

    #[test]
    fn of_many_peers_those_with_the_longest_queues_are_told_of() {
        let list = PeerList::of((0..10).map(|number| (number, peer(u64::from(number == 7) * 100))), 3);
        assert_eq!((list.count, list.peers.keys().copied().collect::<Vec<_>>()), (10, vec![0, 1, 7]));
    }
}
