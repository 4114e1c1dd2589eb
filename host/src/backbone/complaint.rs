//! What keeps a part of the backbone from its work, in one line for the operator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes of a server's words, or of what several of them said, that are shown.
pub(super) const WORDS_BYTES_MAX: usize = 256;

/// Set by the task that works, and read by whoever asks how it is.
#[derive(Clone, Default)]
pub(super) struct Complaint(Arc<Mutex<Option<String>>>);

impl Complaint {
    pub(super) fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    pub(super) fn set(&self, complaint: Option<String>) {
        *self.lock() = complaint;
    }

    /// As [`Self::set`], and says so in the log where it is another than before.
    pub(super) fn tell(&self, complaint: Option<String>) {
        let mut before = self.lock();
        if let Some(what) = &complaint
            && *before != complaint
        {
            tracing::warn!("{what}");
        }
        *before = complaint;
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A text of a server on one line, with its beginning alone if it is long.
pub(super) fn words(text: &str) -> String {
    let beginning = &text[..text.floor_char_boundary(WORDS_BYTES_MAX)];
    let line = beginning.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let rest = if beginning.len() < text.len() { "…" } else { "" };
    line.chain(rest.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_are_one_short_line() {
        assert_eq!(words("a\nb\u{1b}[1m"), "a b [1m");
        assert_eq!(words(&"é".repeat(1_000)), format!("{}…", "é".repeat(128)));
    }
}
