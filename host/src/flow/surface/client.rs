//! A client that came by HTTP, and is listed among the peers of a surface for as long as it stays.

use super::peers::PeerStatus;
use std::net::SocketAddr;

/// Who follows a stream, or has a WebSocket. What is told of it is made only when somebody asks.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    protocol: &'static str,
    subprotocol: Option<&'static str>,
    address: SocketAddr,
    connected_at: jiff::Timestamp,
}

impl Client {
    /// One that has just come.
    pub fn new(protocol: &'static str, subprotocol: Option<&'static str>, address: SocketAddr) -> Self {
        Self { protocol, subprotocol, address, connected_at: jiff::Timestamp::now() }
    }

    /// As a peer that has subscribed to nothing, and to which nothing is queued.
    pub fn status(&self) -> PeerStatus {
        PeerStatus {
            protocol: self.protocol,
            subprotocol: self.subprotocol,
            address: self.address.to_string(),
            key: None,
            key_name: None,
            identity: None,
            connected_at: format!("{:.3}", self.connected_at),
            outgoing: false,
            subscriptions: 0,
            queue_messages: 0,
            queue_bytes: 0,
        }
    }
}
