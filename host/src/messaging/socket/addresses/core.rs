//! Decides which addresses of names a socket connects to, when names are looked up, and when an address that left its name is
//! let go of. Without I/O.

#[cfg(test)]
mod simulation;

use crate::config::{LEFT_ADDRESS_MS_MAX, LEFT_ADDRESS_SILENCE_MS, NAME_ADDRESSES_MAX};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// After failures in a row a name is looked up after twice as long each time, up to so many doublings.
const DOUBLINGS_MAX: u32 = 2;

/// When an address that left its name is let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LetGo {
    /// At once: what is queued to it goes out nevertheless.
    AtOnce,
    /// Once nothing has come from it for a while, since what it has sent is not to be lost.
    Silent,
    /// The same, but after some time even if it goes on sending.
    SilentOrLate,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Look the name with this number up, on another thread, and report by [`AddressCore::looked_up`].
    LookUp(usize),
    /// Connect to this address.
    Connect(String),
    /// Nothing connects to this address any more.
    Disconnect(String),
}

/// What an answer has made of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// How many addresses it has.
    pub(crate) addresses: usize,
    /// How many more it would have, which are too many.
    pub(crate) left_out: usize,
}

/// The names of one socket, and the addresses that it is connected to on their account.
pub(crate) struct AddressCore {
    names: Vec<Name>,
    addresses: BTreeMap<String, Address>,
    period: Duration,
    let_go: LetGo,
    /// Some of them have left their names. It is asked for at each message.
    listens: bool,
    actions: Vec<Action>,
}

struct Name {
    /// Those of the last answer; a failure changes nothing.
    addresses: BTreeSet<String>,
    /// When it is looked up; none while it is.
    due: Option<Instant>,
    /// How often in a row it could not be looked up.
    failures: u32,
}

#[derive(Default)]
struct Address {
    /// The connection is there.
    is_open: bool,
    /// Its name does not have it any more.
    left: Option<Left>,
}

struct Left {
    at: Instant,
    /// Since when nothing has come from it.
    silent_since: Instant,
    /// Something has come since that was looked at.
    is_heard: bool,
}

impl AddressCore {
    /// Without any name. Names are looked up after each period.
    pub(crate) fn new(period: Duration, let_go: LetGo) -> Self {
        Self { names: Vec::new(), addresses: BTreeMap::new(), period, let_go, listens: false, actions: Vec::new() }
    }

    /// Adds a name, which is looked up at once, and returns its number.
    pub(crate) fn add(&mut self, now: Instant) -> usize {
        self.names.push(Name { addresses: BTreeSet::new(), due: Some(now), failures: 0 });
        self.names.len() - 1
    }

    /// Whether there are no names.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether it has to be told by [`Self::heard`] where messages come from.
    pub(crate) fn listens(&self) -> bool {
        self.listens
    }

    /// The addresses that left their names and are still connected to.
    pub(crate) fn left(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().filter(|(_, address)| address.left.is_some()).map(|(place, _)| place.as_str())
    }

    /// Takes out what is to be done, in order.
    pub(crate) fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// A name was looked up, and has these addresses, of which there is at least one; or it could not be, and has those that
    /// it had.
    pub(crate) fn looked_up(&mut self, number: usize, found: Option<Vec<String>>, now: Instant) -> Taken {
        let name = &mut self.names[number];
        let mut left_out = 0;
        if let Some(found) = found.filter(|found| !found.is_empty()) {
            let found: BTreeSet<_> = found.into_iter().collect();
            // Those that it had come first: an answer that is cut in another place each time changes nothing.
            let (known, new): (Vec<_>, Vec<_>) = found.into_iter().partition(|place| name.addresses.contains(place));
            left_out = (known.len() + new.len()).saturating_sub(NAME_ADDRESSES_MAX);
            name.addresses = known.into_iter().chain(new).take(NAME_ADDRESSES_MAX).collect();
            (name.failures, name.due) = (0, Some(now + self.period));
        } else {
            name.due = Some(now + self.period * 2_u32.pow(name.failures.min(DOUBLINGS_MAX)));
            name.failures = name.failures.saturating_add(1);
        }
        let taken = Taken { addresses: name.addresses.len(), left_out };
        self.compare(now);
        taken
    }

    /// Connects to the addresses that names have, and begins to let go of those that none has.
    fn compare(&mut self, now: Instant) {
        let wanted: BTreeSet<&String> = self.names.iter().flat_map(|name| &name.addresses).collect();
        for (place, address) in &mut self.addresses {
            if wanted.contains(place) {
                address.left = None;
            } else if address.left.is_none() {
                address.left = Some(Left { at: now, silent_since: now, is_heard: false });
            }
        }
        for place in wanted {
            if !self.addresses.contains_key(place) {
                self.addresses.insert(place.clone(), Address::default());
                self.actions.push(Action::Connect(place.clone()));
            }
        }
        let let_go = self.let_go;
        self.disconnect(|address| address.left.is_some() && (let_go == LetGo::AtOnce || !address.is_open));
        self.bound_left();
    }

    /// Names whose addresses change all the time keep no more connections than they could have anyway.
    fn bound_left(&mut self) {
        let mut left: Vec<_> = self.addresses.values().filter_map(|address| Some(address.left.as_ref()?.at)).collect();
        let surplus = left.len().saturating_sub(NAME_ADDRESSES_MAX * self.names.len());
        if surplus > 0 {
            left.sort_unstable();
            let last = left[surplus - 1];
            self.disconnect(|address| address.left.as_ref().is_some_and(|left| left.at <= last));
        }
    }

    /// A connection to an address is there.
    pub(crate) fn opened(&mut self, place: &str) {
        if let Some(address) = self.addresses.get_mut(place) {
            address.is_open = true;
        }
    }

    /// The connection to an address has ended, or could not be made.
    pub(crate) fn ended(&mut self, place: &str) {
        if let Some(address) = self.addresses.get_mut(place) {
            address.is_open = false;
            self.disconnect(|address| address.left.is_some() && !address.is_open);
        }
    }

    /// Something has come from an address.
    pub(crate) fn heard(&mut self, place: &str) {
        if let Some(left) = self.addresses.get_mut(place).and_then(|address| address.left.as_mut()) {
            left.is_heard = true;
        }
    }

    /// Does what is due. `is_read` says whether messages that come are read: as long as they are not, nobody is silent.
    pub(crate) fn tick(&mut self, is_read: bool, now: Instant) {
        for (number, name) in self.names.iter_mut().enumerate() {
            if name.due.take_if(|due| *due <= now).is_some() {
                self.actions.push(Action::LookUp(number));
            }
        }
        for left in self.addresses.values_mut().filter_map(|address| address.left.as_mut()) {
            if std::mem::take(&mut left.is_heard) || !is_read {
                left.silent_since = now;
            }
        }
        let let_go = self.let_go;
        self.disconnect(|address| address.left.as_ref().is_some_and(|left| left.until(let_go) <= now));
    }

    /// When [`Self::tick`] has something to do; none if only an answer can bring something.
    pub(crate) fn due(&self) -> Option<Instant> {
        let names = self.names.iter().filter_map(|name| name.due);
        let left = self.addresses.values().filter_map(|address| Some(address.left.as_ref()?.until(self.let_go)));
        names.chain(left).min()
    }

    fn disconnect(&mut self, is_over: impl Fn(&Address) -> bool) {
        for (place, _) in self.addresses.extract_if(.., |_, address| is_over(address)) {
            self.actions.push(Action::Disconnect(place));
        }
        self.listens = self.addresses.values().any(|address| address.left.is_some());
    }
}

impl Left {
    /// When the address is let go of, if nothing comes from it before.
    fn until(&self, let_go: LetGo) -> Instant {
        let silent = self.silent_since + Duration::from_millis(LEFT_ADDRESS_SILENCE_MS);
        match let_go {
            LetGo::AtOnce => self.at,
            LetGo::Silent => silent,
            LetGo::SilentOrLate => silent.min(self.at + Duration::from_millis(LEFT_ADDRESS_MS_MAX)),
        }
    }
}
