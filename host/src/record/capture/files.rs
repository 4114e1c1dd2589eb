//! The files of captures: new ones for their owner alone, and of a ring the last ones.

use super::file::CaptureWriter;
use super::format::About;
use crate::config::CAPTURE_RING_FILES;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What the name of a capture's file begins with, and of one of the ring.
const CAPTURE: &str = "capture-";
const RING: &str = "ring-";
const EXTENSION: &str = ".mcap";

/// Where the files of one capture are.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    about: About,
    name: String,
    ring: Option<Ring>,
    current: PathBuf,
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
        let run = about.boot.get(..4).unwrap_or(&about.boot);
        let (directory, about) = (directory.to_owned(), about.clone());
        Self { directory, about, name: format!("{run}-{id}"), ring, current: PathBuf::new() }
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

    /// Begins the next file, whose bytes are counted. Of a ring the oldest files go.
    ///
    /// # Errors
    /// When the directory or the file cannot be made or written; says why.
    pub(super) fn next(&mut self, bytes: &Arc<AtomicU64>, bytes_max: u64) -> Result<CaptureWriter<File>, String> {
        let failed = |what: &Path, cause: io::Error| format!("{}: {cause}", what.display());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(|cause| failed(&self.directory, cause))?;
        if let Some(ring) = self.ring {
            self.delete_oldest(ring).map_err(|cause| failed(&self.directory, cause))?;
        }
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ");
        let kind = if self.is_ring() { RING } else { CAPTURE };
        self.current = self.directory.join(format!("{kind}{time}-{}{EXTENSION}", self.name));
        // A name that is taken is somebody else's, and so is what a link points to.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.current);
        let file = file.map_err(|cause| failed(&self.current, cause))?;
        CaptureWriter::new(file, &self.about, Arc::clone(bytes), bytes_max).map_err(|error| error.to_string())
    }

    /// Makes room for one more file.
    fn delete_oldest(&self, ring: Ring) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_ring = name.to_str().is_some_and(|name| name.starts_with(RING) && name.ends_with(EXTENSION));
            if is_ring && entry.file_type()?.is_file() {
                files.push((entry.file_name(), entry.metadata()?.len()));
            }
        }
        // Their names begin with when each was begun.
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let mut left = files.len();
        for (name, length) in files {
            if left <= CAPTURE_RING_FILES && bytes + ring.file_bytes_max() <= ring.bytes_max {
                break;
            }
            fs::remove_file(self.directory.join(name))?;
            (left, bytes) = (left - 1, bytes - length);
        }
        Ok(())
    }
}
