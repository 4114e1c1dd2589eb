//! One endpoint that a socket connects to, without I/O: when its name is looked up, and when libzmq is to connect anew.
//!
//! libzmq looks a name up on the thread that connects, takes its first address alone, and gives a connection up for
//! ever after a handshake that was refused or a message that was too large.

use super::host_name::{self, HostName};
use super::monitor::Outgoing;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// A name that was not resolved is looked up again after this time.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(2);
/// Where nothing answers, the next address of a name is tried after this time.
const NEXT_ADDRESS: Duration = Duration::from_millis(500);
/// libzmq has given a connection up if it has not said within this time that it tries again.
const GIVEN_UP: Duration = Duration::from_secs(1);

/// What is to be done for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look up the name in this endpoint, on another thread, and report by [`Connection::looked_up`].
    LookUp(String),
    /// Disconnect from the first endpoint, if there is one, and connect to the second.
    Connect(Option<String>, String),
}

/// Where the socket connects to, and where it does now.
pub(crate) struct Connection {
    endpoint: String,
    has_name: bool,
    /// The addresses of the name that were not tried yet, the next one last.
    untried: Vec<IpAddr>,
    /// The endpoint that libzmq has, and the same as libzmq writes it in its events.
    connected: Option<(String, String)>,
    due: Option<Instant>,
    /// Why the name has no address.
    failure: Option<String>,
}

impl Connection {
    /// A connection that is to be made at once.
    pub(crate) fn new(endpoint: &str, now: Instant) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            has_name: host_name::name_in(endpoint).is_some(),
            untried: Vec::new(),
            connected: None,
            due: Some(now),
            failure: None,
        }
    }

    /// Where it goes to, as configured.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Why the name in the endpoint has no address.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// What is to be done now, if anything is due.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Step> {
        self.due.take_if(|due| *due <= now)?;
        let endpoint = match self.untried.pop() {
            Some(address) => host_name::at(&self.endpoint, address),
            None if self.has_name => return Some(Step::LookUp(self.endpoint.clone())),
            None => self.endpoint.clone(),
        };
        let remote = as_libzmq_writes(&endpoint);
        let before = self.connected.replace((endpoint.clone(), remote)).map(|(before, _)| before);
        Some(Step::Connect(before, endpoint))
    }

    /// When [`Self::next`] has something to do; none if it has not.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The name was looked up.
    pub(crate) fn looked_up(&mut self, host: &HostName, now: Instant) {
        match host.addresses() {
            Ok(addresses) => {
                self.untried = addresses.iter().rev().copied().collect();
                (self.due, self.failure) = (Some(now), None);
            }
            Err(failure) => (self.due, self.failure) = (Some(now + LOOK_UP_AGAIN), Some(failure)),
        }
    }

    /// Takes in what became of the connection to a remote endpoint, if it is this one.
    pub(crate) fn take_in(&mut self, remote: &str, what: Outgoing, now: Instant) {
        if self.connected.as_ref().is_none_or(|(_, own)| own != remote) {
            return;
        }
        match what {
            Outgoing::Connected => self.due = None,
            Outgoing::Retried if self.has_name => {
                let next = now + NEXT_ADDRESS;
                self.due = Some(self.due.map_or(next, |due| due.min(next)));
            }
            Outgoing::Retried => self.due = None,
            Outgoing::Ended => self.due = Some(now + GIVEN_UP),
        }
    }
}

/// An endpoint as libzmq writes it: without a local address, and with the shortest form of an IPv6 one.
fn as_libzmq_writes(endpoint: &str) -> String {
    let Some(place) = endpoint.strip_prefix("tcp://") else { return endpoint.to_owned() };
    let peer = place.rsplit(';').next().unwrap_or(place);
    peer.parse::<SocketAddr>().map_or_else(|_| format!("tcp://{peer}"), |address| format!("tcp://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(connection: &mut Connection, now: Instant) -> (Option<String>, String) {
        match connection.next(now) {
            Some(Step::Connect(before, endpoint)) => (before, endpoint),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_is_connected_to_and_left_to_libzmq_unless_that_gives_up() {
        let now = Instant::now();
        for (endpoint, remote) in [
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"),
            ("tcp://[0:0::1]:5555", "tcp://[::1]:5555"),
            ("tcp://127.0.0.9:0;127.0.0.1:5555", "tcp://127.0.0.1:5555"),
            ("ipc:///run/x", "ipc:///run/x"),
        ] {
            let mut connection = Connection::new(endpoint, now);
            assert_eq!(step(&mut connection, now), (None, endpoint.to_owned()));
            assert_eq!((connection.next(now), connection.due()), (None, None));
            connection.take_in("tcp://127.0.0.1:1", Outgoing::Ended, now);
            assert_eq!(connection.due(), None, "that is another one");
            connection.take_in(remote, Outgoing::Ended, now);
            connection.take_in(remote, Outgoing::Retried, now);
            assert_eq!(connection.due(), None, "libzmq tries again");
            connection.take_in(remote, Outgoing::Ended, now);
            assert_eq!(connection.next(now), None);
            assert_eq!(step(&mut connection, now + GIVEN_UP), (Some(endpoint.to_owned()), endpoint.to_owned()));
        }
    }

    #[test]
    fn the_addresses_of_a_name_are_tried_in_turn_and_then_it_is_looked_up_again() {
        let now = Instant::now();
        let mut connection = Connection::new("tcp://localhost:5555", now);
        let look_up = Some(Step::LookUp("tcp://localhost:5555".to_owned()));
        assert_eq!(connection.next(now), look_up);
        assert_eq!(connection.next(now), None, "one look-up at a time");
        connection.looked_up(&HostName::unresolved("tcp://localhost:5555", "no network".to_owned()), now);
        assert!(connection.failure().is_some_and(|why| why.contains("localhost") && why.contains("no network")));
        assert_eq!((connection.next(now), connection.next(now + LOOK_UP_AGAIN)), (None, look_up.clone()));

        let host = HostName::look_up("tcp://localhost:5555").expect("a name");
        let addresses = host.addresses().expect("it is known").len();
        connection.looked_up(&host, now);
        assert_eq!(connection.failure(), None);
        let mut now = now;
        for _ in 0..addresses {
            let (_, endpoint) = step(&mut connection, now);
            let remote = as_libzmq_writes(&endpoint);
            for _ in 0..3 {
                connection.take_in(&remote, Outgoing::Retried, now);
            }
            assert_eq!(connection.due(), Some(now + NEXT_ADDRESS));
            connection.take_in(&remote, Outgoing::Connected, now);
            assert_eq!(connection.due(), None, "it answers after all");
            connection.take_in(&remote, Outgoing::Retried, now);
            now += NEXT_ADDRESS;
        }
        assert_eq!(connection.next(now), look_up);
    }
}
