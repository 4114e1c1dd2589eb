//! All that a socket connects to: names are looked up beside the thread that owns it, and a connection that libzmq has given
//! up is made anew.

use super::connection::{Connection, Step};
use super::host_name::HostName;
use super::monitor::Monitor;
use crate::config::{Endpoint, LOG_LIMIT_INTERVAL_MS};
use crate::log_limit::LogLimit;
use crate::system::supervisor::Supervisor;
use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// A name that was looked up, with the index of the connection that it is for.
type LookedUp = (usize, HostName);

/// Belongs to the thread that owns the socket.
pub(crate) struct Connections {
    all: Vec<Connection>,
    names: Arc<UnresolvedNames>,
    /// What was looked up. A connection has one look-up at a time.
    looked_up: (Sender<LookedUp>, Receiver<LookedUp>),
    supervisor: Supervisor,
    /// Woken when a name was looked up.
    waker: Waker,
    log_limit: LogLimit<&'static str>,
}

/// Why names that a socket connects to have no address, by endpoint.
#[derive(Debug, Default)]
pub(crate) struct UnresolvedNames(Mutex<BTreeMap<String, String>>);

impl UnresolvedNames {
    /// All of them in one line; none if there are none.
    pub(crate) fn complaint(&self) -> Option<String> {
        let names = self.lock();
        let lines: Vec<_> = names.iter().map(|(endpoint, why)| format!("connecting to {endpoint}: {why}")).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    fn note(&self, endpoint: &str, failure: Option<&str>) {
        match failure {
            Some(failure) => drop(self.lock().insert(endpoint.to_owned(), failure.to_owned())),
            None => drop(self.lock().remove(endpoint)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Connections to these endpoints, which are made by the first [`Self::connect`]. The waker is woken when a name was
    /// looked up, so that [`Self::maintain`] is called.
    pub(crate) fn new(
        endpoints: &[Endpoint],
        names: Arc<UnresolvedNames>,
        supervisor: Supervisor,
        waker: Waker,
    ) -> Self {
        let now = Instant::now();
        let endpoints = endpoints.iter().filter_map(|endpoint| endpoint.0.as_deref());
        let all = endpoints.map(|endpoint| Connection::new(endpoint, now)).collect();
        let log_limit = LogLimit::new(1, Duration::from_millis(LOG_LIMIT_INTERVAL_MS));
        Self { all, names, looked_up: mpsc::channel(), supervisor, waker, log_limit }
    }

    /// The endpoints, as configured.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(Connection::endpoint)
    }

    /// Makes the connections that are due.
    ///
    /// # Errors
    /// When libzmq refuses an endpoint; with the endpoint and the cause. The others are made nevertheless.
    pub(crate) fn connect(&mut self, socket: &zmq::Socket, now: Instant) -> Result<(), (String, String)> {
        let mut refused = Ok(());
        for index in 0..self.all.len() {
            match self.all[index].next(now) {
                Some(Step::LookUp(endpoint)) => self.look_up(index, endpoint),
                Some(Step::Connect(before, endpoint)) => {
                    if let Some(before) = before {
                        // It fails if libzmq has given the connection up.
                        let _ = socket.disconnect(&before);
                    }
                    if let Err(cause) = super::connect(socket, &endpoint) {
                        refused = Err((endpoint, cause));
                    }
                }
                None => {}
            }
        }
        refused
    }

    /// Takes in what became of the connections and of names, and makes those that are due.
    pub(crate) fn maintain(&mut self, socket: &zmq::Socket, monitor: &mut Monitor, surface: &str, now: Instant) {
        for (remote, what) in monitor.take_outgoing() {
            self.all.iter_mut().for_each(|connection| connection.take_in(&remote, what, now));
        }
        while let Ok((index, host)) = self.looked_up.1.try_recv() {
            self.take_in(index, &host, surface, now);
        }
        if let Err((endpoint, cause)) = self.connect(socket, now)
            && let Some(repeats) = self.log_limit.admit("connecting", now)
        {
            tracing::warn!(surface, endpoint, cause, repeats, "connecting");
        }
    }

    /// When [`Self::maintain`] has something to do, if nothing happens before; none if it has not.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.all.iter().filter_map(Connection::due).min()
    }

    fn take_in(&mut self, index: usize, host: &HostName, surface: &str, now: Instant) {
        let connection = &mut self.all[index];
        connection.looked_up(host, now);
        self.names.note(connection.endpoint(), connection.failure());
        if let Some(failure) = connection.failure()
            && let Some(repeats) = self.log_limit.admit("name", now)
        {
            let endpoint = connection.endpoint();
            tracing::warn!(surface, endpoint, repeats, "{failure}; it is looked up again");
        }
    }

    /// Looks a name up on a thread of its own: it can take seconds, and no other name is to wait for it.
    fn look_up(&self, index: usize, endpoint: String) {
        let (looked_up, waker, name) = (self.looked_up.0.clone(), self.waker.clone(), endpoint.clone());
        let run = move || {
            if let Some(host) = HostName::look_up(&name) {
                // This fails if the socket was closed meanwhile.
                let _ = looked_up.send((index, host));
                waker.wake();
            }
            Ok(())
        };
        if let Err(error) = self.supervisor.thread("name look-up", run) {
            let _ = self.looked_up.0.send((index, HostName::unresolved(&endpoint, error.to_string())));
        }
    }
}
