//! The statistics of an HTTP surface: its connections, requests and answers.

use crate::flow::Statistics;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::OwnedSemaphorePermit;

/// The statuses that there are: 100 to 599.
const STATUS_MIN: u16 = 100;
const STATUSES: usize = 500;

/// Why a connection was ended against the will of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOff {
    /// The TLS handshake took too long.
    Handshake,
    /// The head of a request took too long.
    Head,
    /// An answer was not taken in.
    Answer,
    /// There was no request for too long.
    Idle,
}

impl CutOff {
    const ALL: [Self; 4] = [Self::Handshake, Self::Head, Self::Answer, Self::Idle];

    /// The name under which it is counted and reported.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake-timeout",
            Self::Head => "head-timeout",
            Self::Answer => "answer-timeout",
            Self::Idle => "idle-timeout",
        }
    }
}

/// The statistics of one surface. Its connections write them, anybody reads them.
#[derive(Debug)]
pub struct ServerStatistics {
    /// Connections at present, those in their TLS handshake included.
    pub connections_open: AtomicU64,
    /// Connections that were accepted.
    pub connections_accepted: AtomicU64,
    /// Connections that could not be accepted, or were refused once accepted, for want of descriptors most of all.
    pub accepts_failed: AtomicU64,
    /// TLS handshakes that failed, those that took too long included.
    pub handshakes_failed: AtomicU64,
    /// Requests at present, until their answers are taken.
    pub requests_open: AtomicU64,
    /// Requests that were answered 503 because requests wait for too long.
    pub requests_shed: AtomicU64,
    /// Requests that were answered 503 because there were `requests_max` already.
    pub requests_over_max: AtomicU64,
    /// Requests that were answered 503 because all bodies together had no room for theirs or its answer.
    pub requests_over_bytes: AtomicU64,
    /// Certificates that were put in force while the host ran.
    pub certificates_reloaded: AtomicU64,
    /// Changes of a certificate's files that could not be put in force.
    pub certificate_reloads_failed: AtomicU64,
    answers: Box<[AtomicU64]>,
    cut_off: [AtomicU64; CutOff::ALL.len()],
}

impl Default for ServerStatistics {
    fn default() -> Self {
        Self {
            connections_open: AtomicU64::default(),
            connections_accepted: AtomicU64::default(),
            accepts_failed: AtomicU64::default(),
            handshakes_failed: AtomicU64::default(),
            requests_open: AtomicU64::default(),
            requests_shed: AtomicU64::default(),
            requests_over_max: AtomicU64::default(),
            requests_over_bytes: AtomicU64::default(),
            certificates_reloaded: AtomicU64::default(),
            certificate_reloads_failed: AtomicU64::default(),
            answers: (0..STATUSES).map(|_| AtomicU64::default()).collect(),
            cut_off: Default::default(),
        }
    }
}

impl ServerStatistics {
    /// Answers by status, those that were given at least once.
    pub fn answers(&self) -> BTreeMap<u16, u64> {
        let counts = self.answers.iter().map(|count| count.load(Ordering::Relaxed));
        (STATUS_MIN..).zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// Connections that were cut off, by reason.
    pub fn cut_off(&self) -> BTreeMap<&'static str, u64> {
        CutOff::ALL
            .iter()
            .map(|reason| (reason.as_str(), self.cut_off[*reason as usize].load(Ordering::Relaxed)))
            .collect()
    }

    /// Adds all of them, of the surface of this name.
    pub(super) fn add_to(&self, statistics: &mut Statistics, surface: &str) {
        let mut counted = statistics.of(Some(("surface", surface)));
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let answers = self.answers().into_iter().map(|(status, count)| (status.to_string(), count));
        counted.counters_by(("http_answers", None, "Answers by status"), "status", answers);
        counted.gauge(
            ("http_requests_open", None, "Requests at present, until their answers are taken"),
            read(&self.requests_open),
        );
        counted.counter(
            ("http_requests_shed", None, "Requests answered 503 because requests waited for too long"),
            read(&self.requests_shed),
        );
        counted.counter(
            ("http_requests_over_max", None, "Requests answered 503 because there were requests_max already"),
            read(&self.requests_over_max),
        );
        let says = "Requests answered 503 because bodies had no room in in_flight_bytes_max";
        counted.counter(("http_requests_over_bytes", None, says), read(&self.requests_over_bytes));
        counted.gauge(("http_connections_open", None, "Connections at present"), read(&self.connections_open));
        counted.counter(("http_connections", None, "Connections that were accepted"), read(&self.connections_accepted));
        counted.counter(
            ("http_accepts_failed", None, "Connections that came in vain, for want of a descriptor most of all"),
            read(&self.accepts_failed),
        );
        counted.counters_by(
            ("http_connections_cut_off", None, "Connections that the host ended, by reason"),
            "reason",
            self.cut_off(),
        );
        counted
            .counter(("http_tls_handshakes_failed", None, "TLS handshakes that failed"), read(&self.handshakes_failed));
        counted.counter(
            ("http_certificates_reloaded", None, "Certificates put in force while the host ran"),
            read(&self.certificates_reloaded),
        );
        let says = "Changes of a certificate's files that were not put in force";
        counted.counter(("http_certificate_reloads_failed", None, says), read(&self.certificate_reloads_failed));
    }

    pub(super) fn count_answer(&self, status: u16) {
        if let Some(count) = self.answers.get(usize::from(status.wrapping_sub(STATUS_MIN))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count_cut_off(&self, reason: CutOff) {
        self.cut_off[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts one connection for as long as it is there, and keeps its permit.
pub(super) struct OpenConnection {
    statistics: Arc<ServerStatistics>,
    _permit: OwnedSemaphorePermit,
}

impl OpenConnection {
    pub(super) fn new(statistics: &Arc<ServerStatistics>, permit: OwnedSemaphorePermit) -> Self {
        statistics.connections_accepted.fetch_add(1, Ordering::Relaxed);
        statistics.connections_open.fetch_add(1, Ordering::Relaxed);
        Self { statistics: Arc::clone(statistics), _permit: permit }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.statistics.connections_open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one request for as long as it is there.
pub(super) struct OpenRequest(Arc<ServerStatistics>);

impl OpenRequest {
    pub(super) fn new(statistics: &Arc<ServerStatistics>) -> Self {
        statistics.requests_open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(statistics))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.requests_open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_status() {
        let statistics = ServerStatistics::default();
        for status in [200, 503, 200, 599, 99, 600, 0] {
            statistics.count_answer(status);
        }
        assert_eq!(statistics.answers(), BTreeMap::from([(200, 2), (503, 1), (599, 1)]));
        statistics.count_cut_off(CutOff::Idle);
        assert_eq!((statistics.cut_off()["idle-timeout"], statistics.cut_off()["head-timeout"]), (1, 0));
    }
}
