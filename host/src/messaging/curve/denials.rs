//! Denied handshakes: counted by reason, and one line of the log for each peer and key, now and then.

use crate::log_limit::LogLimit;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A client that tries again and again gets one line in this time.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

/// Why a peer is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Denial {
    /// No authorized file has its key.
    UnknownKey,
    /// The question was about another mechanism than CURVE, or about another socket's domain.
    Foreign,
    /// The question was none of ZAP.
    Malformed,
}

impl Denial {
    /// The name under which it is counted.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown-key",
            Self::Foreign => "foreign",
            Self::Malformed => "malformed",
        }
    }
}

/// The denials of all sockets that one list guards.
#[derive(Debug)]
pub(super) struct Denials {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    counts: BTreeMap<&'static str, u64>,
    /// By peer and key. Somebody may make up keys: the count says so, and the log stays readable.
    lines: LogLimit<(String, String)>,
}

impl Denials {
    pub(super) fn new() -> Self {
        let state = State { counts: BTreeMap::new(), lines: LogLimit::new(1, REPEATED_AFTER) };
        Self { state: Mutex::new(state) }
    }

    /// How many there were, by reason.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().counts.clone()
    }

    /// Counts a denial, and logs it unless the same one was logged a short while ago.
    pub(super) fn note(&self, denial: Denial, peer: &str, key: &str, directory: &Path) {
        let reason = denial.as_str();
        let repeats = {
            let mut state = self.lock();
            *state.counts.entry(reason).or_default() += 1;
            state.lines.admit((peer.to_owned(), key.to_owned()), Instant::now())
        };
        let Some(repeats) = repeats else { return };
        if denial == Denial::UnknownKey {
            // Z85 has no apostrophe, so the line can be pasted into a shell.
            let directory = directory.display();
            tracing::warn!(
                peer,
                key,
                reason,
                repeats,
                "handshake refused: nobody with this key is let in; to change that: echo '{key}' > {directory}/NAME.key, \
                 then the client has to connect anew"
            );
        } else {
            tracing::warn!(peer, reason, repeats, "handshake refused: a question to ZAP that is not ours");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
