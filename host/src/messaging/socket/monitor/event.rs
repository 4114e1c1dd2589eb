//! The events of libzmq's monitor about the connections of a socket: their numbers, and how they are read.

use zmq_sys::beyond;

/// The events that the monitor subscribes to.
pub(super) const ALL: u64 = CONNECTED
    | RETRIED
    | ACCEPTED
    | ACCEPT_FAILED
    | DISCONNECTED
    | FAILED_NO_DETAIL
    | SUCCEEDED
    | FAILED_PROTOCOL
    | FAILED_AUTH
    | DEPTHS
    | LOST
    | TOO_LARGE;
/// The socket has connected to a peer; the descriptor of the connection.
pub(super) const CONNECTED: u64 = zmq::SocketEvent::CONNECTED as u64;
/// libzmq will try again to connect to a peer; when, in milliseconds.
pub(super) const RETRIED: u64 = zmq::SocketEvent::CONNECT_RETRIED as u64;
/// A connection was accepted; its descriptor.
pub(super) const ACCEPTED: u64 = zmq::SocketEvent::ACCEPTED as u64;
/// A connection was not accepted; an error number.
pub(super) const ACCEPT_FAILED: u64 = zmq::SocketEvent::ACCEPT_FAILED as u64;
/// A connection ended; its descriptor.
pub(super) const DISCONNECTED: u64 = zmq::SocketEvent::DISCONNECTED as u64;
/// A handshake failed; an error number.
pub(super) const FAILED_NO_DETAIL: u64 = zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL as u64;
/// A handshake succeeded.
pub(super) const SUCCEEDED: u64 = zmq::SocketEvent::HANDSHAKE_SUCCEEDED as u64;
/// A handshake broke the rules; a `ZMQ_PROTOCOL_ERROR`.
pub(super) const FAILED_PROTOCOL: u64 = zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL as u64;
/// A handshake was denied; the status of the denial.
pub(super) const FAILED_AUTH: u64 = zmq::SocketEvent::HANDSHAKE_FAILED_AUTH as u64;
/// What is queued to a peer: messages, bytes, and 1 if the queue is full.
pub(super) const DEPTHS: u64 = beyond::ZMQ_EVENT_PIPES_STATS;
/// What was queued to a peer when it went, in messages.
pub(super) const LOST: u64 = beyond::EVENT_LOST;
/// libzmq ends the connection of a peer that sent more in one message than it may.
pub(super) const TOO_LARGE: u64 = beyond::EVENT_TOO_LARGE;

/// One event as libzmq sends it.
pub(super) struct Event<'a> {
    pub(super) kind: u64,
    /// The event's values; zero where it has fewer.
    pub(super) values: [u64; 3],
    pub(super) remote: &'a str,
}

impl<'a> Event<'a> {
    /// `[event, n, value 1 … value n, local endpoint, remote endpoint]`
    pub(super) fn read(frames: &'a [Vec<u8>]) -> Option<Self> {
        let number = |frame: &Vec<u8>| frame.as_slice().try_into().ok().map(u64::from_ne_bytes);
        let [kind, count, rest @ ..] = frames else { return None };
        let (values, endpoints) = rest.split_at_checked(usize::try_from(number(count)?).ok()?)?;
        let [_, remote] = endpoints else { return None };
        let value = |index: usize| values.get(index).and_then(number).unwrap_or_default();
        Some(Self {
            kind: number(kind)?,
            values: [value(0), value(1), value(2)],
            remote: std::str::from_utf8(remote).ok()?,
        })
    }
}
