//! The ZeroMQ sockets: where they bind, their bounds, and what becomes of what a peer has no room for.

mod bounds;
mod curve;
mod ipc;

pub use bounds::*;
pub use curve::Curve;
pub use ipc::IpcMode;

use super::address::Endpoint;
use super::limits::{milliseconds, number};
use serde::{Deserialize, Serialize};
use std::fmt;

/// `[messaging]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Messaging {
    /// Where the PUB socket binds.
    pub publish: Endpoint,
    /// Where the ROUTER socket binds.
    pub frontend: Endpoint,
    /// The mode of sockets at `ipc://` paths: whoever may write to one may connect to it.
    pub ipc_mode: IpcMode,
    /// The group of sockets at `ipc://` paths, by name or number; the process' own if it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc_group: Option<String>,
    /// Calls of the broker's policy at a time.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000>")]
    pub workers: usize,
    /// The reply policy that answers the broker's requests. If it is not set: `random-replies` if that is loaded, else the only
    /// one that is; without one there is no frontend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// One frame of a message; for a larger one libzmq ends the connection.
    #[serde(deserialize_with = "number::<_, _, 1, 1_073_741_824>")]
    pub frame_bytes_max: usize,
    /// Frames of a request behind its envelope, and identities of proxies in that; more is dropped as `too-large`.
    #[serde(deserialize_with = "number::<_, _, 1, 65_536>")]
    pub frames_max: usize,
    /// Messages in each queue: to publish, to send later, and per slow peer. Where it is full, publishing is answered 503, the
    /// frontend stops reading, and `on_full` says what becomes of a slow peer.
    #[serde(deserialize_with = "number::<_, _, 1, 10_000_000>")]
    pub queue_messages_max: usize,
    /// Bytes in the queue to publish, which answers 503 where it is full; and in the one to send later, with what running calls
    /// may return, and in requests that wait for a call, where no call begins and the frontend stops reading.
    #[serde(deserialize_with = "number::<_, _, 1, 1_099_511_627_776>")]
    pub queue_bytes_max: usize,
    /// Bytes in the queue to each slow peer, with 64 or 128 for each frame, and in the one from each, where more waits in the
    /// client; and of one message that has not come whole, which ends its connection.
    #[serde(deserialize_with = "number::<_, _, 1, 1_099_511_627_776>")]
    pub peer_queue_bytes_max: usize,
    /// After so long a silent connection is asked whether it is still there, and ended if it has not answered in three
    /// times as long; 0 for never. Of a PUSH or PAIR the peer's system is asked, since a peer that has enough to do may read
    /// nothing for longer.
    #[serde(deserialize_with = "milliseconds::<_, _, 0, 600_000>")]
    pub heartbeat_ms: u64,
    /// How long a peer may take for its ZMTP handshake, or its connection is ended.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 600_000>")]
    pub handshake_timeout_ms: u64,
    /// How often the names at `dns+tcp://` endpoints are looked up; after failures half as often, then a quarter as often.
    #[serde(deserialize_with = "milliseconds::<_, _, 100, 3_600_000>")]
    pub name_look_up_ms: u64,
}

impl Default for Messaging {
    fn default() -> Self {
        Self {
            publish: Endpoint(Some("tcp://127.0.0.1:4444".to_owned())),
            frontend: Endpoint(Some("tcp://127.0.0.1:5570".to_owned())),
            ipc_mode: IpcMode(0o700),
            ipc_group: None,
            workers: 5,
            policy: None,
            frame_bytes_max: 16 << 20,
            frames_max: 64,
            queue_messages_max: 65_536,
            queue_bytes_max: 256 << 20,
            peer_queue_bytes_max: 32 << 20,
            heartbeat_ms: 10_000,
            handshake_timeout_ms: 5_000,
            name_look_up_ms: 5_000,
        }
    }
}

/// What becomes of a message for which a peer has no room, since it does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFull {
    /// The peer's connection is ended, and the message goes to the others.
    CutOff,
    /// The message is dropped, at a publisher for all its subscribers.
    DropNewest,
    /// The message waits, and in the end so does whoever sends more.
    Block,
}

impl fmt::Display for OnFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutOff => "cut-off",
            Self::DropNewest => "drop-newest",
            Self::Block => "block",
        })
    }
}

/// `[publisher]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Publisher {
    /// What becomes of a message for which a subscriber has no room.
    pub on_full: OnFull,
    /// Keeps the last message of each topic and hands it to new subscribers.
    pub retain: bool,
    /// Topics that have a retained message; the oldest goes first.
    #[serde(deserialize_with = "number::<_, _, 1, 10_000_000>")]
    pub retain_topics_max: usize,
    /// Bytes of all retained messages.
    #[serde(deserialize_with = "number::<_, _, 1, 1_099_511_627_776>")]
    pub retain_bytes_max: usize,
    /// The host is ready only with so many subscribers.
    #[serde(deserialize_with = "number::<_, _, 0, 1_000_000>")]
    pub subscribers_min: usize,
}

impl Default for Publisher {
    fn default() -> Self {
        Self {
            on_full: OnFull::CutOff,
            retain: false,
            retain_topics_max: 10_000,
            retain_bytes_max: 64 << 20,
            subscribers_min: 0,
        }
    }
}

/// `[broker]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    /// What becomes of a reply for which its client has no room.
    pub on_full: OnFull,
    /// Where the envelope of a request ends and its body begins.
    pub envelope: EnvelopeKind,
}

/// Which frames of a request are its envelope, and stand before each of its replies too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvelopeKind {
    /// Those up to the first empty one, however many proxies have added theirs (RFC 28); without an empty one the identity.
    Delimiter,
    /// The identity, with an empty frame that comes directly behind it: for DEALER clients that send no delimiter and
    /// bodies with empty frames in them.
    Identity,
}

impl Default for Broker {
    fn default() -> Self {
        Self { on_full: OnFull::DropNewest, envelope: EnvelopeKind::Delimiter }
    }
}
