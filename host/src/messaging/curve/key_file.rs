//! One file among the authorized keys: the key in it, and whether it has to be read again.

use super::key::{Half, find_key, read_text};
use crate::system::file_watch::Fingerprint;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Two changes within the granularity of the file system's clock have the same fingerprint. So a file is read at every
/// look until it has not changed for this long.
const GRAIN: Duration = Duration::from_secs(2);

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFile {
    /// None if the permissions forbid to look at it.
    state: Option<Fingerprint>,
    /// It had not changed for [`GRAIN`] when it was read.
    settled: bool,
    /// The key that it holds, in Z85.
    pub(super) key: Option<String>,
    /// Why it holds none.
    failure: Option<String>,
}

impl KeyFile {
    /// Reads the file, unless it is as it was `before`. None if there is no file. A key is accepted when it is first
    /// seen. That a file holds none is accepted when it is seen twice, or if this is the `first` look, since it may
    /// just be being written.
    ///
    /// # Errors
    /// When the system fails to look at or read it, for another reason than that it is gone or forbidden.
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
            // The fingerprint after reading: if the file changed meanwhile, it counts as changed just now.
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

    /// Why the file holds no key, if that was not known `before`.
    pub(super) fn new_failure(&self, before: Option<&Self>) -> Option<&str> {
        let known = before.is_some_and(|before| before.state == self.state && before.failure == self.failure);
        self.failure.as_deref().filter(|_| !known)
    }
}

/// A file whose permissions forbid reading holds no key; one that has gone meanwhile is no file.
fn unreadable(error: io::Error, state: Option<Fingerprint>) -> io::Result<Option<KeyFile>> {
    match error.kind() {
        ErrorKind::NotFound => Ok(None),
        ErrorKind::PermissionDenied => {
            Ok(Some(KeyFile { state, settled: false, key: None, failure: Some(error.to_string()) }))
        }
        _ => Err(error),
    }
}
