//! The files of captures: new ones for their owner alone, and of a ring the last ones.

use super::file::CaptureWriter;
use super::format::About;
use crate::config::CAPTURE_RING_FILES;
use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// What the name of a capture's file begins with, and of one of the ring.
const CAPTURE: &str = "capture-";
const RING: &str = "ring-";
const EXTENSION: &str = ".mcap";
/// What even the smallest file takes of the disk.
const FILE_BYTES_MIN: u64 = 4 << 10;
/// Who else than the owner may write into a directory.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Where the files of one capture are.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    about: About,
    /// The run of the host, which tells its files from those of others that write here.
    run: String,
    id: String,
    ring: Option<Ring>,
    /// Makes a file that there is not yet.
    open: fn(&Path) -> io::Result<File>,
    /// How many there were.
    count: u64,
    current: PathBuf,
    /// Those of this ring that have ended, and when.
    ended: VecDeque<(PathBuf, Instant)>,
}

/// The bounds of a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    /// What its files cover together.
    pub(super) lasts: Duration,
    /// What they have together.
    pub(super) bytes_max: u64,
}

impl Ring {
    /// What one file may have, such that all of them have no more than they may.
    pub(super) fn file_bytes_max(self) -> u64 {
        self.bytes_max / (CAPTURE_RING_FILES as u64 + 1)
    }
}

impl Files {
    /// In a directory, for the capture of this name, or the ring.
    pub(super) fn new(directory: &Path, about: &About, id: &str, ring: Option<Ring>) -> Self {
        let run = about.boot.get(..4).unwrap_or(&about.boot).to_owned();
        let (directory, about, id) = (directory.to_owned(), about.clone(), id.to_owned());
        let (count, current, ended) = Default::default();
        Self { directory, about, run, id, ring, open: open_new, count, current, ended }
    }

    /// The file that is written.
    pub(super) fn current(&self) -> &Path {
        &self.current
    }

    pub(super) fn is_ring(&self) -> bool {
        self.ring.is_some()
    }

    /// How long one file is written, of a capture that lasts so long.
    pub(super) fn lasts(&self, capture: Option<Duration>) -> Option<Duration> {
        match self.ring {
            Some(ring) => Some((ring.lasts / CAPTURE_RING_FILES as u32).max(Duration::from_secs(1))),
            None => capture,
        }
    }

    /// Begins the next file, whose bytes are counted. Of a ring, what is beyond its bounds goes then.
    ///
    /// # Errors
    /// When the directory or the file cannot be made or written, or an old file cannot be deleted; says why. There is no new
    /// file then.
    pub(super) fn next(
        &mut self,
        bytes: &Arc<AtomicU64>,
        bytes_max: u64,
        now: Instant,
    ) -> Result<CaptureWriter<File>, String> {
        let failed = |what: &Path, cause: io::Error| format!("{}: {cause}", what.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(|cause| failed(&self.directory, cause))?;
        if self.count == 0 && is_open_to_others(&self.directory) {
            tracing::warn!(
                directory = %self.directory.display(),
                "others than the host's user may write into the directory of captures, and so delete or replace their files: \
                 take that from them, by chmod go-w"
            );
        }
        self.count += 1;
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
        let name = match self.ring {
            Some(_) => format!("{RING}{time}-{}-{}{EXTENSION}", self.run, self.count),
            None => format!("{CAPTURE}{time}-{}-{}{EXTENSION}", self.run, self.id),
        };
        let path = self.directory.join(name);
        let file = (self.open)(&path).map_err(|cause| failed(&path, cause))?;
        let begun = CaptureWriter::new(file, &self.about, Arc::clone(bytes), bytes_max);
        let begun = begun.map_err(|error| format!("{}: {error}", path.display())).and_then(|writer| {
            // Only now that there is another one.
            self.delete_old(&path, now).map_err(|cause| failed(&self.directory, cause))?;
            Ok(writer)
        });
        match begun {
            Ok(writer) => {
                let last = std::mem::replace(&mut self.current, path);
                if self.is_ring() && !last.as_os_str().is_empty() {
                    self.ended.push_back((last, now));
                }
                Ok(writer)
            }
            Err(error) => {
                // Of what is to be told the first error is.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// The current file has no record: there shall be none of it.
    pub(super) fn remove_current(&mut self) {
        if !self.current.as_os_str().is_empty() {
            let _ = fs::remove_file(std::mem::take(&mut self.current));
        }
    }

    /// Deletes the files of this ring that ended before what it is to cover; and the oldest of all rings here that have more bytes
    /// together, with what the new one may get, than they may. What an earlier run of the host left, the last minutes before its
    /// end, so stays as long as there is room.
    fn delete_old(&mut self, new: &Path, now: Instant) -> io::Result<()> {
        let Some(ring) = self.ring else { return Ok(()) };
        while let Some((path, ended)) = self.ended.front()
            && now.duration_since(*ended) >= ring.lasts
        {
            remove(path)?;
            self.ended.pop_front();
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_ring = name.to_str().is_some_and(|name| name.starts_with(RING) && name.ends_with(EXTENSION));
            if is_ring && entry.path() != new && entry.file_type()?.is_file() {
                files.push((name, entry.metadata()?.len().max(FILE_BYTES_MIN)));
            }
        }
        // Their names begin with when each was begun.
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        for (name, length) in files {
            if bytes + ring.file_bytes_max() <= ring.bytes_max {
                break;
            }
            remove(&self.directory.join(name))?;
            bytes -= length;
        }
        Ok(())
    }
}

/// A name that is taken is somebody else's, and so is what a link points to.
fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Deletes a file, if somebody else has not.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn is_open_to_others(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|found| found.permissions().mode() & WRITABLE_BY_OTHERS != 0)
}

#[cfg(test)]
mod tests;
