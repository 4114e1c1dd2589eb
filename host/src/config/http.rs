//! The HTTP surfaces: where they are, who may use them, and what clients of the public one may take of it.

mod admin;
mod events;
mod network;

pub use admin::{Admin, Tail};
pub use events::{EVENTS, Events, OnSlow};
pub use network::Network;

use super::Address;
use super::limits::{milliseconds, number};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where it listens.
    pub address: Address,
    /// A PEM file with the certificate and those that it is signed by; with it and `tls_key` the surface is HTTPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// A PEM file with the private key of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// A file that holds the token which callers must send as `Authorization: Bearer`; without it anybody may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Those whose word is passed on of where a request comes from: addresses and networks of gateways before the host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_gateways: Vec<Network>,
    /// The body of a request; a larger one is answered 413.
    #[serde(deserialize_with = "number::<_, _, 0, 1_073_741_824>")]
    pub body_bytes_max: usize,
    /// Request line and headers together; more is answered 431. (hyper takes no smaller bound.)
    #[serde(deserialize_with = "number::<_, _, 8_192, 16_777_216>")]
    pub head_bytes_max: usize,
    /// Headers of a request; more are answered 431.
    #[serde(deserialize_with = "number::<_, _, 1, 10_000>")]
    pub headers_max: usize,
    /// Path and query of a request; longer ones are answered 414.
    #[serde(deserialize_with = "number::<_, _, 1, 65_000>")]
    pub uri_bytes_max: usize,
    /// Connections at the same time, fewer where the system lets the process open few files; more wait in the system's backlog.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub connections_max: usize,
    /// Requests at the same time, until their answers are taken; more are answered 503.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub requests_max: usize,
    /// Bodies of requests and answers over 16 KiB that are held at the same time, until the answers are taken. What a call may
    /// return is reserved when it begins, and a plugin gets two thirds of what the others leave; more is answered 503. What
    /// comes by WebSocket counts too.
    #[serde(deserialize_with = "number::<_, _, 1, 1_099_511_627_776>")]
    pub in_flight_bytes_max: usize,
    /// Requests at the same time on one HTTP/2 connection; more are refused.
    #[serde(deserialize_with = "number::<_, _, 1, 10_000>")]
    pub streams_max: u32,
    /// WebSockets at the same time, each of which is one of the connections too; more are answered 503.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub websockets_max: usize,
    /// For the TLS handshake of a connection, which is cut off then.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub handshake_timeout_ms: u64,
    /// For the head of a request to come whole, or its connection is cut off; for the first of a connection that includes its
    /// first byte.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub head_timeout_ms: u64,
    /// For the body of a request to come whole, or it is answered 408; and for a message of a WebSocket.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub body_timeout_ms: u64,
    /// For a client to take in each 64 KiB of an answer, or it is cut off.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub answer_timeout_ms: u64,
    /// How long a connection may be open without a request.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 86_400_000>")]
    pub idle_timeout_ms: u64,
    /// Once requests wait for longer than this before anybody looks at them, some are answered 503, so that the others
    /// are answered soon; 0 for never.
    #[serde(deserialize_with = "milliseconds::<_, _, 0, 60_000>")]
    pub queue_delay_ms_max: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            address: local(5000),
            tls_cert: None,
            tls_key: None,
            token_file: None,
            trusted_gateways: Vec::new(),
            body_bytes_max: 1 << 20,
            head_bytes_max: 64 << 10,
            headers_max: 100,
            uri_bytes_max: 16 << 10,
            connections_max: 10_000,
            requests_max: 1_000,
            in_flight_bytes_max: 2 << 30,
            streams_max: 100,
            websockets_max: 1_000,
            handshake_timeout_ms: 10_000,
            head_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            answer_timeout_ms: 30_000,
            idle_timeout_ms: 60_000,
            queue_delay_ms_max: 20,
        }
    }
}

/// A port of this machine alone.
fn local(port: u16) -> Address {
    Address(Some((std::net::Ipv4Addr::LOCALHOST, port).into()))
}
