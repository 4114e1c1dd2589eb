//! Denied handshakes: counted by reason, and logged at a limited rate for each peer and key.

use crate::log_limit::LogLimit;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a denial is logged for each peer and key, since a client tries again and again.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

/// Why a peer is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Denial {
    /// No authorized file has its key.
    UnknownKey,
    /// The ZAP request was about another mechanism than CURVE, or about another domain than ours.
    Foreign,
    /// The request does not follow ZAP.
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
    state: Mutex<DenialState>,
}

#[derive(Debug)]
struct DenialState {
    counts: BTreeMap<&'static str, u64>,
    /// By peer and key. A client may try any number of keys; the counts still show that.
    log_limit: LogLimit<(String, String)>,
}

impl Denials {
    pub(super) fn new() -> Self {
        let state = DenialState { counts: BTreeMap::new(), log_limit: LogLimit::new(1, REPEATED_AFTER) };
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
            state.log_limit.admit((peer.to_owned(), key.to_owned()), Instant::now())
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

    fn lock(&self) -> MutexGuard<'_, DenialState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
