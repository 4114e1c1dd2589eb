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
