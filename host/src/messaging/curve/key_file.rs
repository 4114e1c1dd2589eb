//! One file among the authorized keys: what it holds, and whether that has to be read again.

use super::key::{Half, find_key, read_text};
use crate::system::file_watch::Fingerprint;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A change and the next one within the grain of the file system's clock look alike: a file is read at every look until
/// it has rested for so long.
const GRAIN: Duration = Duration::from_secs(2);

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFile {
    /// None where its owner does not let us look.
    state: Option<Fingerprint>,
    /// It had rested when it was read.
    settled: bool,
    /// The key that it holds, in Z85.
    pub(super) key: Option<String>,
    /// Why it holds none.
    failure: Option<String>,
}

impl KeyFile {
    /// Reads the file, unless it is as it was `before`. None where there is no file. A key is taken when it is first seen; that
    /// there is none, once that is seen twice, since the file may be one that is just being written.
    ///
    /// # Errors
    /// One of the system's, which says nothing about the file.
    pub(super) fn examine(path: &Path, before: Option<&Self>, first: bool) -> io::Result<Option<Self>> {
        // Through symbolic links, which is how secrets are mounted.
        let now = match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => Some(Fingerprint::from(&metadata)),
            Ok(_) => return Ok(None),
            Err(error) => return unreadable(error, None),
        };
        if let Some(before) = before.filter(|before| before.settled && before.state == now) {
            return Ok(Some(before.clone()));
        }
        let (state, key) = match read_text(path) {
            // What the file was after it was read: a change meanwhile makes it young.
            Ok((file, text)) => (Fingerprint::from(&file.metadata()?), find_key(&text, Half::Public)),
            Err(error) => return unreadable(error, now),
        };
        let at_rest = first || before.is_some_and(|before| before.state == Some(state));
        let (key, failure) = match key {
            Ok(key) => (Some(key), None),
            Err(_) if !at_rest => (before.and_then(|before| before.key.clone()), None),
            Err(failure) => (None, Some(failure)),
        };
        let settled = at_rest && state.age(SystemTime::now()) >= GRAIN;
        Ok(Some(Self { state: Some(state), settled, key, failure }))
    }

    /// Why there is no key, if that was not so `before`.
    pub(super) fn news_of_failure(&self, before: Option<&Self>) -> Option<&str> {
        let known = before.is_some_and(|before| before.state == self.state && before.failure == self.failure);
        self.failure.as_deref().filter(|_| !known)
    }
}

/// A file that its owner locked has no key for us; one that has gone meanwhile is none.
fn unreadable(error: io::Error, state: Option<Fingerprint>) -> io::Result<Option<KeyFile>> {
    match error.kind() {
        ErrorKind::NotFound => Ok(None),
        ErrorKind::PermissionDenied => {
            Ok(Some(KeyFile { state, settled: false, key: None, failure: Some(error.to_string()) }))
        }
        _ => Err(error),
    }
}
