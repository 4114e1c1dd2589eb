//! One file among the authorized keys: what it holds, and whether that has to be read again.

use super::key::{Half, find_key, read_text};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A change and the next one within the grain of the file system's clock look alike: a file is read at every look until
/// it has rested for so long.
const GRAIN: Duration = Duration::from_secs(2);
/// A file without a key that is younger than this may be one that is just being written.
const WRITTEN: Duration = Duration::from_millis(200);

/// What changes with a file's content: device, inode, size, and the time of the last change of any kind, which unlike
/// that of the content nobody can set.
type Stamp = (u64, u64, u64, i64, i64);

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFile {
    stamp: Stamp,
    /// It had rested when it was read.
    settled: bool,
    /// The key that it holds, in Z85.
    pub(super) key: Option<String>,
    /// Why it holds none.
    failure: Option<String>,
}

impl KeyFile {
    /// Reads the file, unless it is as it was `before`. None where there is no file.
    ///
    /// An error is one of the system's, which says nothing about the file.
    pub(super) fn examine(path: &Path, before: Option<&Self>, first: bool) -> io::Result<Option<Self>> {
        // Through symbolic links, which is how secrets are mounted.
        let stamp_now = match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => stamp(&metadata),
            Ok(_) => return Ok(None),
            Err(error) => return unreadable(error, Stamp::default()),
        };
        if let Some(before) = before.filter(|before| before.settled && before.stamp == stamp_now) {
            return Ok(Some(before.clone()));
        }
        let (metadata, key) = match read_text(path) {
            // What the file was after it was read: a change meanwhile makes it young.
            Ok((file, text)) => (file.metadata()?, find_key(&text, Half::Public)),
            Err(error) => return unreadable(error, stamp_now),
        };
        let (stamp, age) = (stamp(&metadata), age(&metadata));
        let was_broken = before.is_some_and(|before| before.stamp == stamp && before.failure.is_some());
        let (key, failure) = match key {
            Ok(key) => (Some(key), None),
            Err(_) if age < WRITTEN && !first && !was_broken => (before.and_then(|before| before.key.clone()), None),
            Err(failure) => (None, Some(failure)),
        };
        Ok(Some(Self { stamp, settled: age >= GRAIN, key, failure }))
    }

    /// Why there is no key, if that was not so `before`.
    pub(super) fn news_of_failure(&self, before: Option<&Self>) -> Option<&str> {
        let known = before.is_some_and(|before| before.stamp == self.stamp && before.failure == self.failure);
        self.failure.as_deref().filter(|_| !known)
    }
}

/// A file that its owner locked has no key for us; one that has gone meanwhile is none.
fn unreadable(error: io::Error, stamp: Stamp) -> io::Result<Option<KeyFile>> {
    match error.kind() {
        ErrorKind::NotFound => Ok(None),
        ErrorKind::PermissionDenied => {
            Ok(Some(KeyFile { stamp, settled: false, key: None, failure: Some(error.to_string()) }))
        }
        _ => Err(error),
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.dev(), metadata.ino(), metadata.size(), metadata.ctime(), metadata.ctime_nsec())
}

/// The time since the last change; none at all where the clock was set back, so that the file is read again.
fn age(metadata: &Metadata) -> Duration {
    let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
    let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    SystemTime::now().duration_since(changed).unwrap_or_default()
}
