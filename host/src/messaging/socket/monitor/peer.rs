//! One connection of a watched socket: its descriptor, and what is known of the peer at its other end.

use std::net::SocketAddr;
use std::time::Instant;

/// The number of a descriptor of libzmq's, which identifies a connection as long as that lasts.
pub(crate) type Descriptor = i32;

/// What is known of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// As libzmq writes it: `tcp://127.0.0.1:40112`.
    pub(super) endpoint: String,
    /// Its CURVE key, as soon as a message of it was received.
    pub(crate) key: Option<String>,
    /// The identity under which the frontend sends to it, as soon as a message of it was received.
    pub(crate) identity: Option<Vec<u8>>,
    /// How many subscriptions it has.
    pub(crate) subscriptions: u64,
    /// Whether it has ever subscribed to something.
    pub(crate) has_subscribed: bool,
    /// Messages queued to it when libzmq was last asked, their bytes, and whether the queue is full.
    pub(crate) queue_messages: u64,
    pub(super) queue_bytes: u64,
    pub(crate) is_full: bool,
    /// It was connected to from here.
    pub(super) is_outgoing: bool,
    pub(super) accepted: Instant,
    /// The same, as people read it.
    pub(super) connected_at: jiff::Timestamp,
    /// Its handshake is over.
    pub(super) established: bool,
    /// Its handshake failed.
    pub(super) refused: bool,
    /// libzmq ends its connection, since it sent more in one message than it may.
    pub(crate) sent_too_much: bool,
    /// Its connection was ended here, and libzmq has not reported that yet.
    pub(super) ending: bool,
}

impl Peer {
    /// Where it is, as libzmq writes it.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The address and port alone.
    pub(crate) fn address(&self) -> &str {
        address(&self.endpoint)
    }

    /// The same, parsed; none over `ipc`.
    pub(super) fn socket_address(&self) -> Option<SocketAddr> {
        socket_address(self.address())
    }
}

/// Parses an address without the interface that libzmq appends to a link-local one: `[fe80::1%eth0]:5570`.
fn socket_address(text: &str) -> Option<SocketAddr> {
    match (text.split_once('%'), text.rsplit_once(']')) {
        (Some((address, _)), Some((_, port))) => format!("{address}]{port}").parse().ok(),
        _ => text.parse().ok(),
    }
}

pub(super) fn address(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or(endpoint, |(_, address)| address)
}
