//! All that a socket connects to: names are looked up beside the thread that owns it, and a connection that libzmq has given
//! up is made anew.

mod endpoints_in_use;

use super::addresses::{Addresses, Change, LetGo, Taken};
use super::connection::{Connection, Step};
use super::host_name::HostName;
use super::monitor::{Monitor, Outgoing};
use super::name_states::NameStates;
use crate::config::{Endpoint, LEFT_ADDRESS_LINGER_MS, LOG_LIMIT_INTERVAL_MS, NAME_ADDRESS_LINES_MAX};
use crate::log_limit::LogLimit;
use crate::system::supervisor::Supervisor;
use endpoints_in_use::EndpointsInUse;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Waker;
use std::time::{Duration, Instant};

/// A name that was looked up, with the index of the connection that it is for.
type LookedUp = (usize, HostName);

/// What a socket connects to, and how.
pub(crate) struct Wanted<'a> {
    /// Where, as configured.
    pub(crate) endpoints: &'a [Endpoint],
    /// When an address that left its name is let go of.
    pub(crate) let_go: LetGo,
    /// How often names with all their addresses are looked up.
    pub(crate) look_up_period: Duration,
}

/// Belongs to the thread that owns the socket.
pub(crate) struct Connections {
    /// To what is configured, but for all addresses of names.
    all: Vec<Connection>,
    /// To the addresses of names.
    of_names: Vec<Connection>,
    addresses: Addresses,
    let_go: LetGo,
    in_use: EndpointsInUse,
    endpoints: Vec<String>,
    names: Arc<NameStates>,
    /// What was looked up. A connection has one look-up at a time.
    looked_up: (Sender<LookedUp>, Receiver<LookedUp>),
    supervisor: Supervisor,
    /// Woken when a name was looked up.
    waker: Waker,
    log_limit: LogLimit<(String, &'static str)>,
    /// A name may have other addresses at each look.
    address_lines: LogLimit<&'static str>,
}

impl Connections {
    /// Connections to these endpoints, which are made by the first [`Self::connect`]. The waker is woken when a name was
    /// looked up, so that [`Self::maintain`] is called.
    pub(crate) fn new(wanted: &Wanted<'_>, names: Arc<NameStates>, supervisor: Supervisor, waker: Waker) -> Self {
        let now = Instant::now();
        let mut addresses = Addresses::new(wanted.look_up_period, wanted.let_go, supervisor.clone(), waker.clone());
        let (mut all, mut endpoints) = (Vec::new(), Vec::new());
        for endpoint in wanted.endpoints {
            let Some(text) = &endpoint.0 else { continue };
            endpoints.push(text.clone());
            if endpoint.is_every_address() {
                addresses.add(text, now);
                names.note(text, Some("its name is being looked up"));
                names.note_addresses(text, 0, false);
            } else {
                all.push(Connection::new(text, now));
            }
        }
        let interval = Duration::from_millis(LOG_LIMIT_INTERVAL_MS);
        Self {
            all,
            of_names: Vec::new(),
            addresses,
            let_go: wanted.let_go,
            in_use: EndpointsInUse::default(),
            endpoints,
            names,
            looked_up: mpsc::channel(),
            supervisor,
            waker,
            log_limit: LogLimit::new(1, interval),
            address_lines: LogLimit::new(NAME_ADDRESS_LINES_MAX, interval),
        }
    }

    /// The endpoints, as configured.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().map(String::as_str)
    }

    /// Whether [`Self::heard`] has to be told where messages come from.
    pub(crate) fn listens(&self) -> bool {
        self.addresses.listens()
    }

    /// A message has come from this remote endpoint.
    pub(crate) fn heard(&mut self, remote: &str) {
        self.addresses.heard(remote);
    }

    /// Makes the connections that are due.
    ///
    /// # Errors
    /// When libzmq refuses an endpoint; with the endpoint and the cause. The others are made nevertheless.
    pub(crate) fn connect(&mut self, socket: &zmq::Socket, now: Instant) -> Result<(), (String, String)> {
        let mut refused = Ok(());
        for (index, connection) in self.all.iter_mut().chain(&mut self.of_names).enumerate() {
            match connection.next(now) {
                Some(Step::LookUp(endpoint)) => {
                    look_up((index, endpoint), &self.looked_up.0, &self.supervisor, &self.waker);
                }
                Some(Step::Connect(before, endpoint)) => {
                    if let Err(cause) = self.in_use.replace(socket, before.as_deref(), &endpoint) {
                        refused = Err((endpoint, cause));
                    }
                }
                None => {}
            }
        }
        refused
    }

    /// Takes in what became of the connections and of names, and makes those that are due. `is_read` says whether messages
    /// that come are read.
    pub(crate) fn maintain(
        &mut self,
        socket: &zmq::Socket,
        monitor: &mut Monitor,
        surface: &str,
        (is_read, now): (bool, Instant),
    ) {
        for (remote, what) in monitor.take_outgoing() {
            let connections = self.all.iter_mut().chain(&mut self.of_names);
            connections.for_each(|connection| connection.take_in(&remote, what, now));
            match what {
                Outgoing::Connected => self.addresses.opened(&remote),
                Outgoing::Retried | Outgoing::Ended => self.addresses.ended(&remote),
            }
        }
        while let Ok((index, host)) = self.looked_up.1.try_recv() {
            self.take_in(index, &host, surface, now);
        }
        for change in self.addresses.maintain(is_read, now) {
            match change {
                Change::Connect(endpoint) => {
                    if let Some(repeats) = self.address_lines.admit("come", now) {
                        tracing::info!(surface, endpoint, repeats, "connecting to an address that a name has");
                    }
                    self.of_names.push(Connection::new(&endpoint, now));
                }
                Change::Disconnect(endpoint) => {
                    if let Some(repeats) = self.address_lines.admit("left", now) {
                        tracing::info!(surface, endpoint, repeats, "letting go of an address that has left its name");
                    }
                    self.disconnect(socket, monitor, &endpoint);
                }
                Change::LookedUp { endpoint, taken, failure } => {
                    self.take_in_addresses(surface, &endpoint, taken, failure.as_deref(), now);
                }
            }
        }
        if let Err((endpoint, cause)) = self.connect(socket, now)
            && let Some(repeats) = self.log_limit.admit((String::new(), "connecting"), now)
        {
            tracing::warn!(surface, endpoint, cause, repeats, "connecting");
        }
    }

    /// When [`Self::maintain`] has something to do, if nothing happens before; none if it has not.
    pub(crate) fn due(&self) -> Option<Instant> {
        let connections = self.all.iter().chain(&self.of_names).filter_map(Connection::due);
        connections.chain(self.addresses.due()).min()
    }

    /// Disconnects from an address that has left its name, unless it is connected to on other grounds too.
    fn disconnect(&mut self, socket: &zmq::Socket, monitor: &mut Monitor, endpoint: &str) {
        self.of_names.retain(|connection| connection.endpoint() != endpoint);
        let linger = match self.let_go {
            LetGo::AtOnce => Duration::from_millis(LEFT_ADDRESS_LINGER_MS),
            // Without one, what was received can still be read, as it could not otherwise.
            LetGo::Silent | LetGo::SilentOrLate => Duration::ZERO,
        };
        if self.in_use.leave(socket, endpoint, linger) {
            // libzmq does not report the end of a connection that it was told to end.
            monitor.forget(endpoint);
        }
    }

    fn take_in(&mut self, index: usize, host: &HostName, surface: &str, now: Instant) {
        let connection = &mut self.all[index];
        connection.looked_up(host, now);
        self.names.note(connection.endpoint(), connection.failure());
        if let Some(failure) = connection.failure()
            && let Some(repeats) = self.log_limit.admit((String::new(), "name"), now)
        {
            let endpoint = connection.endpoint();
            tracing::warn!(surface, endpoint, repeats, "{failure}; it is looked up again");
        }
    }

    fn take_in_addresses(&mut self, surface: &str, endpoint: &str, taken: Taken, failure: Option<&str>, now: Instant) {
        let Taken { addresses, left_out } = taken;
        self.names.note(endpoint, failure.filter(|_| addresses == 0));
        self.names.note_addresses(endpoint, addresses, failure.is_some());
        let mut admit = |what| self.log_limit.admit((endpoint.to_owned(), what), now);
        match failure {
            Some(failure) if addresses == 0 => {
                if let Some(repeats) = admit("name") {
                    tracing::warn!(surface, endpoint, repeats, "{failure}; it is looked up again");
                }
            }
            Some(failure) => {
                if let Some(repeats) = admit("stale") {
                    tracing::warn!(surface, endpoint, addresses, repeats, "{failure}; its last addresses stay in use");
                }
            }
            None if left_out > 0 => {
                if let Some(repeats) = admit("many") {
                    let what = "a name has more addresses than a socket connects to: the others are left out";
                    tracing::warn!(surface, endpoint, addresses, left_out, repeats, "{what}");
                }
            }
            None => {}
        }
    }
}

/// Looks a name up on a thread of its own: it can take seconds, and no other name is to wait for it.
fn look_up((index, endpoint): (usize, String), answers: &Sender<LookedUp>, supervisor: &Supervisor, waker: &Waker) {
    let (looked_up, waker, name) = (answers.clone(), waker.clone(), endpoint.clone());
    let run = move || {
        if let Some(host) = HostName::look_up(&name) {
            // This fails if the socket was closed meanwhile.
            let _ = looked_up.send((index, host));
            waker.wake();
        }
        Ok(())
    };
    if let Err(error) = supervisor.thread("name look-up", run) {
        let _ = answers.send((index, HostName::unresolved(&endpoint, error.to_string())));
    }
}
