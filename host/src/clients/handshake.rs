//! The handshakes of a client: a line for each kind of failure, and another try where libzmq would give up.

mod failure;

pub(super) use failure::Said;

use crate::messaging::curve::client_keys::ClientKeys;
use crate::messaging::socket;
use crate::messaging::socket::host_name::HostName;
use crate::system::output::note;
use failure::HandshakeFailure;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zmq::SocketEvent;

/// libzmq never connects again after a handshake that failed for a reason; an operator may have put that right.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A connection that ends during its handshake may be a server's that is just stopping, or one whose reason is not read
/// in time. The next tries, which libzmq makes ten times a second, tell.
const CLOSED_SAID_AT: u32 = 3;

const EVENTS: i32 = SocketEvent::HANDSHAKE_FAILED_NO_DETAIL as i32
    | SocketEvent::HANDSHAKE_FAILED_PROTOCOL as i32
    | SocketEvent::HANDSHAKE_FAILED_AUTH as i32
    | SocketEvent::HANDSHAKE_SUCCEEDED as i32
    | SocketEvent::CONNECT_RETRIED as i32
    | SocketEvent::CONNECTED as i32;

/// A name, and by which family it is connected to.
struct Name {
    host: HostName,
    ipv6: bool,
    /// Nothing answered: it is the other one's turn.
    is_unanswered: bool,
}

/// Watches the handshakes of one socket. Belongs to the thread that owns the socket.
pub(crate) struct Handshakes {
    events: zmq::Socket,
    endpoints: Vec<String>,
    /// Those of them that have a name in the place of an address.
    names: BTreeMap<String, Name>,
    public_key: Option<String>,
    said: Arc<Said>,
    /// How often in a row each endpoint closed the connection without a word.
    closed: BTreeMap<String, u32>,
    /// What is to be connected anew, and when.
    again: BTreeSet<String>,
    again_at: Option<Instant>,
}

impl Handshakes {
    /// Sets these keys on a socket and attaches a monitor to it, before it is connected to these endpoints. `name` must be
    /// unique in the socket's context.
    ///
    /// # Errors
    /// When libzmq refuses a key, the monitor or the socket that reads it; says why.
    pub(crate) fn watch(
        context: &zmq::Context,
        socket: &zmq::Socket,
        name: &str,
        endpoints: &[String],
        keys: Option<&ClientKeys>,
        said: Arc<Said>,
    ) -> Result<Self, String> {
        if let Some(keys) = keys {
            keys.apply(socket)?;
        }
        let place = format!("inproc://handshakes-{name}");
        socket.monitor(&place, EVENTS).map_err(socket::cause)?;
        let events = context.socket(zmq::PAIR).map_err(socket::cause)?;
        events.set_linger(0).map_err(socket::cause)?;
        // Without a bound: libzmq's own thread would wait for room while we are busy.
        events.set_rcvhwm(0).map_err(socket::cause)?;
        socket::connect(&events, &place)?;
        Ok(Self {
            events,
            endpoints: endpoints.to_vec(),
            names: BTreeMap::new(),
            public_key: keys.map(|keys| keys.pair.public.clone()),
            said,
            closed: BTreeMap::new(),
            again: BTreeSet::new(),
            again_at: None,
        })
    }

    /// Connects the socket to one of the endpoints.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub(crate) fn connect(&mut self, socket: &zmq::Socket, endpoint: &str) -> Result<(), String> {
        let Some(host) = HostName::look_up(endpoint) else { return socket::connect(socket, endpoint) };
        let ipv6 = host.is_ipv6_alone();
        self.names.insert(endpoint.to_owned(), Name { host, ipv6, is_unanswered: false });
        socket::connect_by(socket, endpoint, ipv6)
    }

    /// For a wait that ends when something is to be heard.
    pub(crate) fn as_poll_item(&self) -> zmq::PollItem<'_> {
        self.events.as_poll_item(zmq::POLLIN)
    }

    /// How long until something is to be done; none for ever.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.again_at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// After a wait: reads the monitor's events, reports new failures on stderr, and connects again what is due.
    ///
    /// # Errors
    /// When the monitor's events cannot be received.
    pub(crate) fn attend(&mut self, socket: &zmq::Socket) -> zmq::Result<()> {
        while let Some(frames) = socket::receive_now(&self.events, 2)? {
            if let Some((event, value, address)) = read(&frames) {
                self.hear(event, value, address);
            }
        }
        if self.again_at.is_some_and(|at| at <= Instant::now()) {
            self.again_at = None;
            for endpoint in std::mem::take(&mut self.again) {
                // What libzmq has given up is still in its books, where a second connection to it would be no news.
                let _ = socket.disconnect(&endpoint);
                let connected = match self.names.get_mut(&endpoint) {
                    Some(name) => {
                        name.ipv6 ^= std::mem::take(&mut name.is_unanswered);
                        socket::connect_by(socket, &endpoint, name.ipv6)
                    }
                    None => socket::connect(socket, &endpoint),
                };
                if let Err(cause) = connected {
                    note(format_args!("connecting to {endpoint} again: {cause}"));
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, event: SocketEvent, value: u32, address: &str) {
        let endpoints: Vec<String> =
            self.endpoints.iter().filter(|endpoint| self.is_at(endpoint, address)).cloned().collect();
        for endpoint in endpoints {
            let failure = match event {
                SocketEvent::HANDSHAKE_SUCCEEDED => {
                    self.closed.remove(&endpoint);
                    if self.said.forget(&endpoint) {
                        note(format_args!("connected to {endpoint}"));
                    }
                    continue;
                }
                SocketEvent::CONNECT_RETRIED => {
                    self.unanswered(&endpoint);
                    continue;
                }
                SocketEvent::CONNECTED => {
                    // What answers by now is not left for the other family.
                    if self.names.get_mut(&endpoint).is_some_and(|name| std::mem::take(&mut name.is_unanswered)) {
                        self.again.remove(&endpoint);
                    }
                    continue;
                }
                SocketEvent::HANDSHAKE_FAILED_AUTH => HandshakeFailure::Refused(value),
                SocketEvent::HANDSHAKE_FAILED_PROTOCOL
                    if value == zmq_sys::ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH =>
                {
                    HandshakeFailure::OtherMechanism
                }
                SocketEvent::HANDSHAKE_FAILED_PROTOCOL => HandshakeFailure::Protocol(value),
                _ => HandshakeFailure::Closed,
            };
            if failure == HandshakeFailure::Closed {
                let times = self.closed.entry(endpoint.clone()).or_default();
                *times += 1;
                // libzmq connects again by itself.
                if *times < CLOSED_SAID_AT {
                    continue;
                }
            } else {
                self.closed.remove(&endpoint);
                self.again.insert(endpoint.clone());
                self.again_at.get_or_insert(Instant::now() + TRY_AGAIN_AFTER);
            }
            if self.said.is_new(&endpoint, failure) {
                note(format_args!(
                    "connecting to {endpoint}: {}; still trying",
                    failure.advice(self.public_key.as_deref())
                ));
            }
        }
    }
}

impl Handshakes {
    fn is_at(&self, endpoint: &str, address: &str) -> bool {
        is_at(endpoint, self.names.get(endpoint).map(|name| &name.host), address)
    }

    /// Nothing answers at an endpoint. With an address that is what it is; a name may stand for another one.
    fn unanswered(&mut self, endpoint: &str) {
        let Some(name) = self.names.get_mut(endpoint) else { return };
        if self.said.is_new(endpoint, HandshakeFailure::Unanswered) {
            note(format_args!("connecting to {endpoint}: {}; still trying", name.host.failure()));
        }
        if name.host.may_have_both() {
            name.is_unanswered = true;
            self.again.insert(endpoint.to_owned());
            self.again_at.get_or_insert(Instant::now() + TRY_AGAIN_AFTER);
        }
    }
}

/// `[event and value, address]`, numbers in the machine's order.
fn read(frames: &[Vec<u8>]) -> Option<(SocketEvent, u32, &str)> {
    let [numbers, address] = frames else { return None };
    let (event, value) = numbers.split_first_chunk::<2>()?;
    let value = value.try_into().ok().map(u32::from_ne_bytes)?;
    Some((SocketEvent::from_raw(u16::from_ne_bytes(*event)), value, std::str::from_utf8(address).ok()?))
}

/// Whether libzmq means `endpoint` by this address: it tells a name at first, and later what the name stands for.
fn is_at(endpoint: &str, host: Option<&HostName>, address: &str) -> bool {
    if endpoint == address {
        return true;
    }
    let (Some(place), Some(address)) = (endpoint.strip_prefix("tcp://"), address.strip_prefix("tcp://")) else {
        return false;
    };
    let Ok(address) = address.parse::<SocketAddr>() else { return false };
    let ip = address.ip().to_canonical();
    match host {
        // What was not known then may have come to be.
        Some(host) => {
            place.ends_with(&format!(":{}", address.port())) && host.addresses().map_or(true, |own| own.contains(&ip))
        }
        None => place.parse() == Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_address_are_the_same_place() {
        let is_at = |endpoint: &str, address| super::is_at(endpoint, HostName::look_up(endpoint).as_ref(), address);
        assert!(is_at("tcp://127.0.0.1:4444", "tcp://127.0.0.1:4444"));
        assert!(is_at("tcp://localhost:4444", "tcp://127.0.0.1:4444"));
        assert!(is_at("tcp://localhost:4444", "tcp://[::ffff:127.0.0.1]:4444"));
        assert!(is_at("tcp://localhost:4444", "tcp://localhost:4444"));
        assert!(is_at("tcp://[0:0::1]:4444", "tcp://[::1]:4444"));
        assert!(!is_at("tcp://localhost:4444", "tcp://127.0.0.1:4445"));
        assert!(!is_at("ipc:///tmp/a", "ipc:///tmp/b"));
    }
}
