//! Keeps two replays from sending the same letters: they lock the directory of the file, which no rotation replaces.

use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::path::Path;

/// Held as long as letters are replayed; the system frees it when the process ends.
#[derive(Debug)]
pub struct ReplayLock {
    _directory: File,
}

impl ReplayLock {
    /// For one who sends many letters, alone.
    ///
    /// # Errors
    /// `WouldBlock` when somebody else replays letters; others when the system cannot lock the directory.
    pub fn exclusive(file: &Path) -> io::Result<Self> {
        Self::take(file, FlockOperation::NonBlockingLockExclusive)
    }

    /// For one who looks by other means that no letter is sent twice: the host.
    ///
    /// # Errors
    /// As [`Self::exclusive`].
    pub fn shared(file: &Path) -> io::Result<Self> {
        Self::take(file, FlockOperation::NonBlockingLockShared)
    }

    fn take(file: &Path, operation: FlockOperation) -> io::Result<Self> {
        let directory = File::open(super::directory_of(file))?;
        flock(&directory, operation)?;
        Ok(Self { _directory: directory })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_or_those_who_share_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("letters");
        let alone = ReplayLock::exclusive(&file).unwrap();
        assert_eq!(ReplayLock::shared(&file).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(alone);
        let shared = [ReplayLock::shared(&file), ReplayLock::shared(&file)];
        assert!(shared.iter().all(Result::is_ok));
        assert_eq!(ReplayLock::exclusive(&file).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
