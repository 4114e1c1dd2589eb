//! Whether the connection to NATS is there, and why not.

use super::remedy::{causes, with_remedy};
use crate::backbone::complaint::words;
use crate::config::{LOG_LIMIT_INTERVAL_MS, Nats};
use crate::log_limit::LogLimit;
use async_nats::{Event, Server};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Why it is away before anything is known.
const NOT_YET: &str = "it has not answered yet";
const ENDED: &str = "its connection ended";
/// Lines of the log of each kind in [`LOG_LIMIT_INTERVAL_MS`].
const LINES_MAX: u64 = 5;

/// Why it is not there; none while it is.
pub(super) type Why = Option<Arc<str>>;

/// Takes in what becomes of the connection.
pub(super) struct Away {
    nats: Nats,
    why: watch::Sender<Why>,
    log_limit: Mutex<LogLimit<Line>>,
    /// The attempts that had failed when a cause was looked for.
    failed: AtomicUsize,
}

/// What a line of the log is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Line {
    Connected,
    Ended,
    Refused,
    Away,
}

impl Away {
    /// Of a connection that was not there yet, with whom to ask.
    pub(super) fn new(nats: &Nats) -> (Arc<Self>, watch::Receiver<Why>) {
        let (why, receiver) = watch::channel(Some(NOT_YET.into()));
        let log_limit = Mutex::new(LogLimit::new(LINES_MAX, Duration::from_millis(LOG_LIMIT_INTERVAL_MS)));
        (Arc::new(Self { nats: nats.clone(), why, log_limit, failed: AtomicUsize::new(0) }), receiver)
    }

    /// Takes in what the client tells of its connection.
    pub(super) fn note(&self, event: &Event) {
        match event {
            Event::Connected => {
                if let Some(repeats) = self.admit(Line::Connected) {
                    tracing::info!(repeats, "connected to NATS");
                }
                self.why.send_replace(None);
            }
            Event::Disconnected => {
                if let Some(repeats) = self.admit(Line::Ended) {
                    tracing::warn!(repeats, "the connection to NATS has ended; it is made again");
                }
                self.why.send_replace(Some(ENDED.into()));
            }
            Event::Closed => drop(self.why.send_replace(Some("its connection is closed".into()))),
            // Of all others it says the kind alone, and the servers themselves say more.
            Event::ClientError(error) if error.to_string().contains("DNS") => {
                self.become_away("a name in nats.url has no address");
            }
            Event::ServerError(error) => {
                let error = words(&error.to_string());
                if let Some(repeats) = self.admit(Line::Refused) {
                    tracing::warn!(error, repeats, "NATS refused something");
                }
            }
            Event::ClientError(_) | Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => {
                tracing::debug!(%event, "of the connection to NATS");
            }
        }
    }

    /// Takes in how the servers were, before one of them is tried again.
    pub(super) fn note_attempts(&self, servers: &[Server]) {
        // The client drops what it has to tell where there is much of it, such as that the connection has ended.
        self.why.send_if_modified(|why| {
            let is_there = why.is_none();
            if is_there {
                *why = Some(ENDED.into());
            }
            is_there
        });
        let failed = servers.iter().map(|server| server.failed_attempts).sum();
        if self.failed.swap(failed, Ordering::Relaxed) != failed
            && let Some(causes) = causes(servers)
        {
            self.become_away(&causes);
        }
    }

    /// Keeps the latest cause while it is away, and tells of it.
    fn become_away(&self, cause: &str) {
        let why = with_remedy(&self.nats, cause);
        let differs = self.why.send_if_modified(|away| {
            let differs = away.as_deref().is_some_and(|before| before != why);
            if differs {
                *away = Some(why.as_str().into());
            }
            differs
        });
        if differs && let Some(repeats) = self.admit(Line::Away) {
            tracing::warn!(repeats, "NATS at {} is away: {why}", self.nats.url);
        }
    }

    /// If a line is to be written, how many were not.
    fn admit(&self, line: Line) -> Option<u64> {
        self.log_limit.lock().unwrap_or_else(PoisonError::into_inner).admit(line, Instant::now())
    }
}

/// Completes once it has been there, or could not be made the first time.
pub(super) async fn met(mut why: watch::Receiver<Why>) {
    // The sender is the client's.
    let _ = why.wait_for(|why| why.as_deref() != Some(NOT_YET)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_again_and_again_is_told_a_few_times() {
        let (away, why) = Away::new(&Nats::at("nats://n:4222".to_owned()).expect("it is a server"));
        for line in [Line::Connected, Line::Ended, Line::Refused, Line::Away] {
            assert_eq!((0..1_000).filter_map(|_| away.admit(line)).count() as u64, LINES_MAX);
        }
        away.note(&Event::Connected);
        assert_eq!(*why.borrow(), None);
        // The word of its end was lost.
        away.note_attempts(&[]);
        assert_eq!(why.borrow().as_deref(), Some(ENDED));
    }
}
