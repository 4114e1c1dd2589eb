//! What became of the names that a socket connects to: why one has no address, and how many addresses others have.

use crate::flow::Statistics;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The names, by endpoint. The thread that owns the socket writes them, and any thread may read them.
#[derive(Debug, Default)]
pub(crate) struct NameStates(Mutex<BTreeMap<String, NameState>>);

#[derive(Debug, Default)]
struct NameState {
    /// Why it has no address.
    failure: Option<String>,
    /// How many addresses are connected to on its account; none where one after the other is tried.
    addresses: Option<usize>,
    /// How often it could not be looked up.
    failed: u64,
}

impl NameStates {
    /// Those without an address in one line; none if there are none.
    pub(crate) fn complaint(&self) -> Option<String> {
        let names = self.lock();
        let failures = names.iter().filter_map(|(endpoint, name)| Some((endpoint, name.failure.as_deref()?)));
        let lines: Vec<_> = failures.map(|(endpoint, why)| format!("connecting to {endpoint}: {why}")).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }

    /// A name has an address, or has none and why.
    pub(super) fn note(&self, endpoint: &str, failure: Option<&str>) {
        self.lock().entry(endpoint.to_owned()).or_default().failure = failure.map(str::to_owned);
    }

    /// A name was looked up, and so many of its addresses are connected to; or it could not be looked up.
    pub(super) fn note_addresses(&self, endpoint: &str, addresses: usize, has_failed: bool) {
        let mut names = self.lock();
        let name = names.entry(endpoint.to_owned()).or_default();
        name.addresses = Some(addresses);
        name.failed += u64::from(has_failed);
    }

    /// Adds their statistics, under the name of the socket.
    pub(crate) fn add_to(&self, statistics: &mut Statistics, socket: &str) {
        let names = self.lock();
        let every =
            || names.iter().filter_map(|(endpoint, name)| Some((endpoint.clone(), name.addresses?, name.failed)));
        let mut counted = statistics.of(Some(("socket", socket)));
        counted.gauges_by(
            ("socket_name_addresses", None, "Addresses of a name that the socket connects to"),
            "endpoint",
            every().map(|(endpoint, addresses, _)| (endpoint, addresses as u64)),
        );
        counted.counters_by(
            ("socket_name_look_ups_failed", None, "How often a name could not be looked up"),
            "endpoint",
            every().map(|(endpoint, _, failed)| (endpoint, failed)),
        );
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, NameState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_an_address_are_complained_of_and_those_with_some_counted() {
        let names = NameStates::default();
        names.note("tcp://a:1", Some("why"));
        names.note("dns+tcp://b:1", Some("not yet"));
        names.note_addresses("dns+tcp://b:1", 0, true);
        assert_eq!(
            names.complaint().as_deref(),
            Some("connecting to dns+tcp://b:1: not yet; connecting to tcp://a:1: why")
        );
        names.note("tcp://a:1", None);
        names.note("dns+tcp://b:1", None);
        names.note_addresses("dns+tcp://b:1", 3, false);
        assert_eq!(names.complaint(), None);
        let mut statistics = Statistics::default();
        names.add_to(&mut statistics, "s");
        let label = |key, value: &str| (key, value.to_owned());
        let labels = || vec![label("socket", "s"), label("endpoint", "dns+tcp://b:1")];
        let samples: Vec<_> = statistics.into_families().into_iter().map(|family| family.samples).collect();
        assert_eq!(samples, [vec![(labels(), 3)], vec![(labels(), 1)]]);
    }
}
