//! Denied handshakes: counted by reason, and one line of the log for each peer and key, now and then.

use crate::config::DENIALS_REMEMBERED_MAX;
use std::collections::{BTreeMap, HashMap};
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
#[derive(Debug, Default)]
pub(super) struct Denials {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<&'static str, u64>,
    /// When each was logged last, and how many were not since.
    last: HashMap<(String, String), (Instant, u64)>,
}

impl Denials {
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
            state.admit(peer, key, Instant::now())
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

impl State {
    /// How many were not logged since the last one was; none if this one is not to be logged either.
    fn admit(&mut self, peer: &str, key: &str, now: Instant) -> Option<u64> {
        if self.last.len() >= DENIALS_REMEMBERED_MAX {
            self.last.retain(|_, (logged, _)| now.duration_since(*logged) < REPEATED_AFTER);
        }
        let full = self.last.len() >= DENIALS_REMEMBERED_MAX;
        let named = (peer.to_owned(), key.to_owned());
        match self.last.get_mut(&named) {
            Some((logged, repeats)) if now.duration_since(*logged) < REPEATED_AFTER => {
                *repeats += 1;
                None
            }
            Some((logged, repeats)) => {
                *logged = now;
                Some(std::mem::take(repeats))
            }
            // Somebody makes up keys: the count says so, and the log stays readable.
            None if full => None,
            None => {
                self.last.insert(named, (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_now_and_then_for_each_peer_and_key() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(state.admit("127.0.0.1", "a", now), Some(0));
        assert_eq!(state.admit("127.0.0.1", "a", now), None);
        assert_eq!(state.admit("127.0.0.1", "b", now), Some(0));
        assert_eq!(state.admit("127.0.0.2", "a", now), Some(0));
        assert_eq!(state.admit("127.0.0.1", "a", now + REPEATED_AFTER), Some(1));
    }

    #[test]
    fn made_up_keys_are_forgotten_again() {
        let (mut state, now) = (State::default(), Instant::now());
        let lines = (0..3 * DENIALS_REMEMBERED_MAX).filter_map(|n| state.admit("127.0.0.1", &n.to_string(), now));
        assert_eq!(lines.count(), DENIALS_REMEMBERED_MAX);
        assert_eq!(state.last.len(), DENIALS_REMEMBERED_MAX);
        assert_eq!(state.admit("127.0.0.2", "new", now + REPEATED_AFTER), Some(0));
        assert_eq!(state.last.len(), 1);
    }
}
