//! All addresses of the names that a socket connects to: looked up again and again beside the thread that owns the socket.

mod core;
mod resolver;

pub(crate) use self::core::{LetGo, Taken};

use self::core::{Action, AddressCore};
use super::host_name::{self, HostName};
use crate::system::supervisor::Supervisor;
use resolver::{Resolver, Tell};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Waker;
use std::time::{Duration, Instant};

/// What stands before `tcp://` in an endpoint for all addresses of a name.
const EVERY: &str = "dns+";

/// The number of a name that was looked up, and what became of that.
type Answer = (usize, HostName);

/// Belongs to whoever owns the socket.
pub(crate) struct Addresses {
    core: AddressCore,
    /// The endpoints of the names, by their numbers.
    endpoints: Vec<String>,
    answers: (Sender<Answer>, Receiver<Answer>),
    /// Look-ups that are under way.
    asked: usize,
    supervisor: Supervisor,
    /// Woken when a name was looked up.
    waker: Waker,
}

/// What has changed, and is to be done or told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Connect to this endpoint, which has an address.
    Connect(String),
    /// Disconnect from it.
    Disconnect(String),
    /// The name in this endpoint was looked up, with what its addresses are now; or why it could not be.
    LookedUp { endpoint: String, taken: Taken, failure: Option<String> },
}

impl Addresses {
    /// Without any name. Names are looked up after each period; `waker` is woken when one was, so that [`Self::maintain`] is
    /// called.
    pub(crate) fn new(period: Duration, let_go: LetGo, supervisor: Supervisor, waker: Waker) -> Self {
        let core = AddressCore::new(period, let_go);
        Self { core, endpoints: Vec::new(), answers: mpsc::channel(), asked: 0, supervisor, waker }
    }

    /// Adds an endpoint such as `dns+tcp://workers:5571`, whose name is looked up by the next [`Self::maintain`].
    pub(crate) fn add(&mut self, endpoint: &str, now: Instant) {
        self.core.add(now);
        self.endpoints.push(endpoint.to_owned());
    }

    /// Whether there are no names.
    pub(crate) fn is_empty(&self) -> bool {
        self.core.is_empty()
    }

    /// Whether a name is being looked up.
    pub(crate) fn is_asking(&self) -> bool {
        self.asked > 0
    }

    /// Whether it has to be told by [`Self::heard`] where messages come from.
    pub(crate) fn listens(&self) -> bool {
        self.core.listens()
    }

    /// Something has come from this endpoint, as [`Change::Connect`] had it.
    pub(crate) fn heard(&mut self, endpoint: &str) {
        self.core.heard(endpoint);
    }

    /// Something has come, from any of them.
    pub(crate) fn heard_any(&mut self) {
        let left: Vec<_> = self.core.left().map(str::to_owned).collect();
        left.iter().for_each(|endpoint| self.core.heard(endpoint));
    }

    /// The connection to an endpoint is there.
    pub(crate) fn opened(&mut self, endpoint: &str) {
        self.core.opened(endpoint);
    }

    /// The connection to an endpoint has ended, or could not be made.
    pub(crate) fn ended(&mut self, endpoint: &str) {
        self.core.ended(endpoint);
    }

    /// When [`Self::maintain`] has something to do, if nothing happens before; none if it has not.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.core.due()
    }

    /// Takes in what was looked up, and looks up what is due. `is_read` says whether messages that come are read. Returns what
    /// has changed, in order.
    pub(crate) fn maintain(&mut self, is_read: bool, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Ok((number, host)) = self.answers.1.try_recv() {
            self.asked -= 1;
            let endpoint = self.endpoints[number].clone();
            let found = host.addresses().map(|found| found.iter().map(|ip| host_name::at(&endpoint, *ip)).collect());
            let failure = found.as_ref().err().cloned();
            let taken = self.core.looked_up(number, found.ok(), now);
            changes.push(Change::LookedUp { endpoint, taken, failure });
        }
        self.core.tick(is_read, now);
        for action in self.core.actions() {
            match action {
                Action::LookUp(number) => self.look_up(number),
                Action::Connect(endpoint) => changes.push(Change::Connect(endpoint)),
                Action::Disconnect(endpoint) => changes.push(Change::Disconnect(endpoint)),
            }
        }
        changes
    }

    fn look_up(&mut self, number: usize) {
        self.asked += 1;
        let (answers, waker) = (self.answers.0.clone(), self.waker.clone());
        let tell: Tell = Box::new(move |host| {
            // This fails if the socket was closed meanwhile.
            let _ = answers.send((number, host));
            waker.wake();
        });
        let endpoint = self.endpoints[number].strip_prefix(EVERY).unwrap_or_default();
        match host_name::name_in(endpoint) {
            Some(name) => Resolver::of_process().look_up(name, &self.supervisor, tell),
            None => tell(HostName::of_address(endpoint)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has changed once the name was looked up.
    fn looked_up(endpoint: &str) -> Vec<Change> {
        let mut addresses =
            Addresses::new(Duration::from_secs(5), LetGo::AtOnce, Supervisor::default(), Waker::noop().clone());
        assert!(addresses.is_empty());
        addresses.add(endpoint, Instant::now());
        let began = Instant::now();
        assert_eq!(addresses.maintain(true, began), []);
        while addresses.is_asking() && began.elapsed() < Duration::from_secs(20) {
            let changes = addresses.maintain(true, began);
            if !changes.is_empty() {
                return changes;
            }
            std::thread::yield_now();
        }
        panic!("no answer about {endpoint}");
    }

    #[test]
    fn a_name_is_connected_to_by_its_addresses_and_an_address_by_itself() {
        for (endpoint, one) in [
            ("dns+tcp://localhost:5", "tcp://127.0.0.1:5"),
            ("dns+tcp://127.0.0.9:5", "tcp://127.0.0.9:5"),
            ("dns+tcp://[0:0::1]:5", "tcp://[::1]:5"),
        ] {
            let changes = looked_up(endpoint);
            let Change::LookedUp { endpoint: told, taken, failure: None } = &changes[0] else { panic!("{changes:?}") };
            assert_eq!((told.as_str(), taken.left_out, taken.addresses), (endpoint, 0, changes.len() - 1));
            assert!(changes.contains(&Change::Connect(one.to_owned())), "{changes:?}");
        }
        let changes = looked_up("dns+tcp://no-such-name.invalid:5");
        let [Change::LookedUp { failure: Some(why), .. }] = &changes[..] else { panic!("{changes:?}") };
        assert!(why.contains("no-such-name.invalid"), "{why}");
    }
}
