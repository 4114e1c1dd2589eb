//! The fingerprint of a file: whether it may have changed, without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Distinguishes the states of a file without reading it. It includes the time of the last change of any kind, which,
/// unlike that of the content, nobody can set. Only a hint: two changes within the granularity of the file system's
/// clock look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Fingerprint {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Fingerprint {
    /// The fingerprint of the file at a path, through symbolic links, if there is one.
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::from)
    }

    /// How long the file has been in this state, by the clock of its file system; zero if that is ahead of ours.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        let changed =
            Duration::new(u64::try_from(self.changed.0).unwrap_or(0), u32::try_from(self.changed.1).unwrap_or(0));
        now.duration_since(SystemTime::UNIX_EPOCH + changed).unwrap_or_default()
    }
}
