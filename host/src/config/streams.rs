//! ZeroMQ sockets by name, and the flows of messages between them: from sockets, through plugins, to sockets.

use super::OnFull;
use super::address::Endpoint;
use super::limits::{between, number};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[sockets.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Socket {
    /// Its type, of which SUB, PULL and PAIR read, and PUB, PUSH and PAIR write.
    #[serde(rename = "type")]
    pub kind: SocketType,
    /// Where it binds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bind: Vec<Endpoint>,
    /// Where it connects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connect: Vec<Endpoint>,
    /// The prefixes of topics that a SUB subscribes to; everything if it has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribe: Vec<String>,
    /// Whether peers need a key on the host's list to connect where it binds; as for the other sockets if it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<bool>,
    /// A file with the public key of the peers that it connects to, which it trusts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_key: Option<PathBuf>,
    /// The frame, from 0, in which a publisher numbers its messages, as eight bytes, big-endian: gaps are counted.
    #[serde(default, deserialize_with = "between::<_, _, 0, 65_535>", skip_serializing_if = "Option::is_none")]
    pub sequence: Option<usize>,
    /// What becomes of a message for which there is no room: of one that a SUB has read and a flow has no room for, and of one
    /// that a peer does not take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_full: Option<OnFull>,
    /// Messages in its queue and in those of its peers, if not `messaging.queue_messages_max`.
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
}

/// `[flows.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The sockets that its messages come from.
    pub from: Vec<String>,
    /// The plugins that each message goes through, in order.
    #[serde(default)]
    pub through: Vec<String>,
    /// The sockets that each message goes to; each of them gets all.
    pub to: Vec<String>,
    /// In which order messages leave.
    #[serde(default)]
    pub order: Order,
    /// Messages that are processed at the same time, or wait to leave.
    #[serde(default = "in_flight_max", deserialize_with = "number::<_, _, 1, 100_000>")]
    pub in_flight_max: usize,
    /// What becomes of a message that a plugin fails at.
    #[serde(default)]
    pub on_error: OnError,
}

fn in_flight_max() -> usize {
    64
}

/// In which order the messages of a flow leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// In which they came.
    #[default]
    Strict,
    /// In which those with the same first frame came.
    Key,
    /// In which they are done.
    None,
}

/// What becomes of a message of a flow that a plugin fails at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It is dropped, and written to the dead letters.
    #[default]
    DeadLetter,
    /// It is dropped.
    Drop,
    /// It goes on as it was before that plugin.
    Pass,
    /// It stays, and the flow pauses; resumed, it tries again.
    Stop,
}

/// `[routes.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// The plugins that each request goes through, in order; the one with the route's name if there are none.
    pub through: Vec<String>,
    /// The sockets that what comes out goes to; `publish` if it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// The headers of a request that the plugins see, in lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The headers that a plugin may set in the response, in lower case, as `http.header.NAME`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers: Vec<String>,
    /// Takes bodies with `content-encoding: gzip` or `zstd`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub decompress: bool,
    /// Compresses answers where the client accepts that.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub compress: bool,
    /// The origins whose pages may read the answers in a browser.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cors: Vec<String>,
}
