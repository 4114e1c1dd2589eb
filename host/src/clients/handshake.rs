//! The handshakes of a client: reports each kind of failure once on stderr, and reconnects where libzmq would give up.

mod every_address;
mod failure;

pub(super) use failure::ReportedFailures;

use crate::config::{NAME_LOOK_UP_MS, is_every_address};
use crate::messaging::curve::client_keys::ClientKeys;
use crate::messaging::socket;
use crate::messaging::socket::addresses::{Addresses, LetGo};
use crate::messaging::socket::host_name::HostName;
use crate::system::output::note;
use crate::system::supervisor::Supervisor;
use failure::HandshakeFailure;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};
use zmq::SocketEvent;

/// The delay before connecting again after a handshake that failed for a known reason. libzmq would never try again,
/// but the operator may have fixed the cause.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// A connection closed during its handshake is reported at the third time in a row: the server may just be stopping, or
/// its reason may not have been read in time. libzmq tries again ten times a second.
const CLOSED_REPORTED_AT: u32 = 3;

const EVENTS: i32 = SocketEvent::HANDSHAKE_FAILED_NO_DETAIL as i32
    | SocketEvent::HANDSHAKE_FAILED_PROTOCOL as i32
    | SocketEvent::HANDSHAKE_FAILED_AUTH as i32
    | SocketEvent::HANDSHAKE_SUCCEEDED as i32
    | SocketEvent::CONNECT_RETRIED as i32
    | SocketEvent::CONNECTED as i32
    | SocketEvent::DISCONNECTED as i32;

/// The host name of an endpoint, and the address family by which it is connected to.
struct NamedHost {
    host: HostName,
    ipv6: bool,
    /// Nothing answered, so the other family is tried next.
    is_unanswered: bool,
}

/// Watches the handshakes of one socket. Belongs to the thread that owns the socket.
pub(crate) struct Handshakes {
    events: zmq::Socket,
    endpoints: Vec<String>,
    /// Those of the endpoints that have a host name instead of an address.
    names: BTreeMap<String, NamedHost>,
    public_key: Option<String>,
    reported: Arc<ReportedFailures>,
    /// How often in a row the connection to each endpoint was closed without a reason.
    closed: BTreeMap<String, u32>,
    /// The endpoints that are to be connected to again, and when.
    reconnect: BTreeSet<String>,
    reconnect_at: Option<Instant>,
    /// Those of names of which all are connected to.
    addresses: Addresses,
    /// The endpoints whose names were said to have too many.
    crowded: BTreeSet<String>,
}

impl Handshakes {
    /// Sets these keys on a socket and attaches a monitor to it, before it is connected to these endpoints. `name` must
    /// be unique in the socket's context.
    ///
    /// # Errors
    /// When libzmq refuses a key, the monitor or the socket that reads it; says why.
    pub(crate) fn watch(
        context: &zmq::Context,
        socket: &zmq::Socket,
        name: &str,
        endpoints: &[String],
        keys: Option<&ClientKeys>,
        reported: Arc<ReportedFailures>,
    ) -> Result<Self, String> {
        if let Some(keys) = keys {
            keys.apply(socket)?;
        }
        let place = format!("inproc://handshakes-{name}");
        socket.monitor(&place, EVENTS).map_err(socket::cause)?;
        let events = context.socket(zmq::PAIR).map_err(socket::cause)?;
        events.set_linger(0).map_err(socket::cause)?;
        // Without a bound: libzmq's I/O thread would block until there is room, while this thread is busy.
        events.set_rcvhwm(0).map_err(socket::cause)?;
        socket::connect(&events, &place)?;
        let period = Duration::from_millis(NAME_LOOK_UP_MS);
        Ok(Self {
            events,
            endpoints: endpoints.to_vec(),
            names: BTreeMap::new(),
            public_key: keys.map(|keys| keys.pair.public.clone()),
            reported,
            closed: BTreeMap::new(),
            reconnect: BTreeSet::new(),
            reconnect_at: None,
            // The waits are short while a name is looked up, so nobody has to be woken.
            addresses: Addresses::new(period, LetGo::SilentOrLate, Supervisor::default(), Waker::noop().clone()),
            crowded: BTreeSet::new(),
        })
    }

    /// Connects the socket to one of the endpoints; to all addresses of a name as they become known.
    ///
    /// # Errors
    /// When libzmq refuses the endpoint; says why.
    pub(crate) fn connect(&mut self, socket: &zmq::Socket, endpoint: &str) -> Result<(), String> {
        if is_every_address(endpoint) {
            return self.add_name(socket, endpoint);
        }
        let Some(host) = HostName::look_up(endpoint) else { return socket::connect(socket, endpoint) };
        let ipv6 = host.is_ipv6_alone();
        self.names.insert(endpoint.to_owned(), NamedHost { host, ipv6, is_unanswered: false });
        socket::connect_by(socket, endpoint, ipv6)
    }

    /// Readable when the monitor has sent an event.
    pub(crate) fn as_poll_item(&self) -> zmq::PollItem<'_> {
        self.events.as_poll_item(zmq::POLLIN)
    }

    /// How long until [`Self::maintain`] has something to do; none if it has not.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let due = self.reconnect_at.into_iter().chain(self.addresses.due()).min();
        let until_due = due.map(|due| due.saturating_duration_since(Instant::now()));
        until_due.into_iter().chain(self.wait_for_answer()).min()
    }

    /// After a wait: reads the monitor's events, reports new failures on stderr, and connects again what is due.
    ///
    /// # Errors
    /// When the monitor's events cannot be received.
    pub(crate) fn maintain(&mut self, socket: &zmq::Socket) -> zmq::Result<()> {
        while let Some(frames) = socket::receive_now(&self.events, 2)? {
            if let Some((event, value, address)) = read(&frames) {
                self.handle_event(event, value, address);
            }
        }
        if self.reconnect_at.is_some_and(|at| at <= Instant::now()) {
            self.reconnect_at = None;
            for endpoint in std::mem::take(&mut self.reconnect) {
                // libzmq still has the connection that it gave up, and ignores a second one to the same endpoint.
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
        self.maintain_addresses(socket);
        Ok(())
    }

    fn handle_event(&mut self, event: SocketEvent, value: u32, address: &str) {
        let endpoints: Vec<String> =
            self.endpoints.iter().filter(|endpoint| self.is_at(endpoint, address)).cloned().collect();
        for endpoint in endpoints {
            let failure = match event {
                SocketEvent::HANDSHAKE_SUCCEEDED => {
                    self.closed.remove(&endpoint);
                    if self.reported.forget(&endpoint) {
                        note(format_args!("connected to {endpoint}"));
                    }
                    continue;
                }
                SocketEvent::CONNECT_RETRIED => {
                    self.addresses.ended(&endpoint);
                    self.unanswered(&endpoint);
                    continue;
                }
                SocketEvent::DISCONNECTED => {
                    self.addresses.ended(&endpoint);
                    continue;
                }
                SocketEvent::CONNECTED => {
                    self.addresses.opened(&endpoint);
                    // This family answers after all, so the other one is not tried.
                    if self.names.get_mut(&endpoint).is_some_and(|name| std::mem::take(&mut name.is_unanswered)) {
                        self.reconnect.remove(&endpoint);
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
                if *times < CLOSED_REPORTED_AT {
                    continue;
                }
            } else {
                self.closed.remove(&endpoint);
                self.reconnect.insert(endpoint.clone());
                self.reconnect_at.get_or_insert(Instant::now() + RECONNECT_DELAY);
            }
            if self.reported.is_new(&endpoint, failure) {
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

    /// Nothing answers at an endpoint. An address is left to libzmq, which tries again; a name may have one of the
    /// other family.
    fn unanswered(&mut self, endpoint: &str) {
        let Some(name) = self.names.get_mut(endpoint) else { return };
        if self.reported.is_new(endpoint, HandshakeFailure::Unanswered) {
            note(format_args!("connecting to {endpoint}: {}; still trying", name.host.failure()));
        }
        if name.host.may_have_both() {
            name.is_unanswered = true;
            self.reconnect.insert(endpoint.to_owned());
            self.reconnect_at.get_or_insert(Instant::now() + RECONNECT_DELAY);
        }
    }
}

/// Reads an event: `[event and value, address]`, with numbers in native byte order.
fn read(frames: &[Vec<u8>]) -> Option<(SocketEvent, u32, &str)> {
    let [numbers, address] = frames else { return None };
    let (event, value) = numbers.split_first_chunk::<2>()?;
    let value = value.try_into().ok().map(u32::from_ne_bytes)?;
    Some((SocketEvent::from_raw(u16::from_ne_bytes(*event)), value, std::str::from_utf8(address).ok()?))
}

/// Whether an event with this address is about `endpoint`. libzmq reports a host name as it is at first, and later the
/// address that it resolved to.
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
        // A name that we could not resolve may have been resolved by libzmq later.
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
