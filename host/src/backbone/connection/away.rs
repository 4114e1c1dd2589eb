//! Whether the connection to NATS is there, and why not.

use crate::log_limit::LogLimit;
use async_nats::Event;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Why it is away before anything is known.
const NOT_YET: &str = "it has not answered yet";
/// Lines of the log of each kind in this time.
const LINES_MAX: u64 = 5;
const LINES_TIME: Duration = Duration::from_secs(10);

/// Why it is not there; none while it is.
pub(super) type Why = Option<Arc<str>>;

/// Takes in what becomes of the connection.
pub(super) struct Away {
    why: watch::Sender<Why>,
    log_limit: Mutex<LogLimit<Discriminant<Event>>>,
}

impl Away {
    /// Of a connection that was not there yet, with whom to ask.
    pub(super) fn new() -> (Self, watch::Receiver<Why>) {
        let (why, receiver) = watch::channel(Some(NOT_YET.into()));
        (Self { why, log_limit: Mutex::new(LogLimit::new(LINES_MAX, LINES_TIME)) }, receiver)
    }

    /// Takes in what the client tells of its connection.
    pub(super) fn note(&self, event: &Event) {
        let mut log_limit = self.log_limit.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = log_limit.admit(discriminant(event), Instant::now());
        match event {
            Event::Connected => {
                if let Some(repeats) = admitted {
                    tracing::info!(repeats, "connected to NATS");
                }
                self.why.send_replace(None);
            }
            Event::Disconnected => {
                if let Some(repeats) = admitted {
                    tracing::warn!(repeats, "the connection to NATS has ended; it is made again");
                }
                self.why.send_replace(Some("its connection ended".into()));
            }
            Event::Closed => drop(self.why.send_replace(Some("its connection is closed".into()))),
            Event::ClientError(error) => self.become_away(&error.to_string()),
            Event::ServerError(error) => {
                if let Some(repeats) = admitted {
                    tracing::warn!(%error, repeats, "NATS refused something");
                }
                self.become_away(&error.to_string());
            }
            Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => {
                tracing::debug!(%event, "of the connection to NATS");
            }
        }
    }

    /// Keeps the latest cause while it is away.
    fn become_away(&self, why: &str) {
        self.why.send_if_modified(|away| {
            let differs = away.as_deref().is_some_and(|before| before != why);
            if differs {
                *away = Some(why.into());
            }
            differs
        });
    }
}

/// Completes once it has been there, or could not be made the first time.
pub(super) async fn met(mut why: watch::Receiver<Why>) {
    // The sender is the client's.
    let _ = why.wait_for(|why| why.as_deref() != Some(NOT_YET)).await;
}
