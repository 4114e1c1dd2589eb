//! A ZeroMQ socket by name: its type, where it binds and connects, and its bounds.

use crate::config::OnFull;
use crate::config::address::Endpoint;
use crate::config::limits::between;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// `[sockets.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Socket {
    /// Its type, of which SUB, PULL, PAIR and ROUTER read, and PUB, PUSH, PAIR and ROUTER write. A ROUTER is reached by
    /// WebSocket.
    #[serde(rename = "type")]
    pub kind: SocketType,
    /// Where it binds: endpoints of ZeroMQ, or paths of the public HTTP surface, such as `ws:/in`, where a PULL or ROUTER
    /// takes WebSockets that speak ZWS 2.0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bind: Vec<Endpoint>,
    /// Where it connects. All addresses of a name are `dns+tcp://NAME:PORT`, for a SUB, PULL, PUSH or PUB: they are looked up
    /// again and again (`messaging.name_look_up_ms`), new ones are connected to, and those that left are drained and let go of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connect: Vec<Endpoint>,
    /// The prefixes of topics that a SUB subscribes to; everything if it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribe: Vec<String>,
    /// Whether peers need a key on the host's list to connect where it binds; as for the host's other sockets if it is not set.
    /// One that asks for keys cannot connect as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<bool>,
    /// A file with the public key of the peers that it connects to, which it trusts alone; to them it shows the host's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_key: Option<PathBuf>,
    /// The frame, from 0, in which a publisher numbers its messages, as eight bytes, big-endian: gaps are counted.
    #[serde(default, deserialize_with = "between::<_, _, 0, 65_535>", skip_serializing_if = "Option::is_none")]
    pub sequence: Option<usize>,
    /// What becomes of a message for which a flow has no room, or that a peer does not take. A SUB: `drop-newest` (default) or
    /// `block`. A PULL: `block`. A PUSH or PAIR: `block` (default) or `drop-newest`. A PUB: any, by default as `[publisher]`. A
    /// ROUTER: `drop-newest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_full: Option<OnFull>,
    /// Messages in its queue and in those of its peers, if not `messaging.queue_messages_max`, and 1,000 of a PULL or PAIR
    /// that wait for a flow.
    #[serde(default, deserialize_with = "between::<_, _, 1, 10_000_000>", skip_serializing_if = "Option::is_none")]
    pub queue_messages_max: Option<usize>,
    /// Bytes in its queue, if not `messaging.queue_bytes_max`.
    #[serde(
        default,
        deserialize_with = "between::<_, _, 1, 1_099_511_627_776>",
        skip_serializing_if = "Option::is_none"
    )]
    pub queue_bytes_max: Option<usize>,
    /// Bytes in the queue of each peer, if not `messaging.peer_queue_bytes_max`.
    #[serde(
        default,
        deserialize_with = "between::<_, _, 1, 1_099_511_627_776>",
        skip_serializing_if = "Option::is_none"
    )]
    pub peer_queue_bytes_max: Option<usize>,
}

/// The type of a ZeroMQ socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketType {
    /// Reads what publishers publish.
    Sub,
    /// Reads what is pushed to it.
    Pull,
    /// Reads from and writes to one peer.
    Pair,
    /// Publishes to all subscribers.
    Pub,
    /// Pushes each message to one of its peers, in turn.
    Push,
    /// Reads from its peers and writes to each, by its identity in the first frame.
    Router,
}

impl Socket {
    /// The paths of the public HTTP surface at which it takes WebSockets; none if it binds and connects as ZeroMQ does.
    pub fn websocket_paths(&self) -> impl Iterator<Item = &str> {
        self.bind.iter().filter_map(Endpoint::websocket_path)
    }

    /// Whether it is reached by WebSocket.
    pub fn is_websocket(&self) -> bool {
        self.websocket_paths().next().is_some()
    }
}

impl SocketType {
    /// Whether messages come from it.
    pub fn reads(self) -> bool {
        matches!(self, Self::Sub | Self::Pull | Self::Pair | Self::Router)
    }

    /// Whether messages go to it.
    pub fn writes(self) -> bool {
        matches!(self, Self::Pub | Self::Push | Self::Pair | Self::Router)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sub => "sub",
            Self::Pull => "pull",
            Self::Pair => "pair",
            Self::Pub => "pub",
            Self::Push => "push",
            Self::Router => "router",
        }
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
