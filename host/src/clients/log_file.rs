//! The subscriber's log: whole lines appended to a file that may fail, be rotated, and come back.

use crate::append::{ends_within_a_line, write_counting};
use crate::system::output::note;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// With so many bytes pending they are written, even if more lines are about to follow.
const PENDING_BYTES_MAX: usize = 64 * 1024;

/// A file to which lines are appended. Lines that cannot be written are counted and dropped.
#[derive(Debug)]
pub(crate) struct LogFile<W = File> {
    path: PathBuf,
    file: W,
    /// Whole lines that are not yet written.
    pending: Vec<u8>,
    /// The file ends within a line, so that a newline has to come before the next one.
    torn: bool,
    failing: bool,
    logged: u64,
    lost: u64,
}

impl LogFile {
    /// Opens the file for appending, or creates it.
    ///
    /// # Errors
    /// When the system neither opens nor creates it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = append_to(path)?;
        let torn = ends_within_a_line(path);
        Ok(Self::new(path, file, torn))
    }

    /// Writes what is pending, and continues in the file that is at the path now, after a rotation renamed the old one.
    pub(crate) fn reopen(&mut self) {
        self.flush();
        match append_to(&self.path) {
            Ok(file) => {
                self.file = file;
                self.torn = ends_within_a_line(&self.path);
            }
            Err(error) => {
                note(format_args!("opening {}: {error}; still writing to the file of before", self.path.display()))
            }
        }
    }
}

impl<W: Write> LogFile<W> {
    fn new(path: &Path, file: W, torn: bool) -> Self {
        Self { path: path.to_owned(), file, pending: Vec::new(), torn, failing: false, logged: 0, lost: 0 }
    }

    /// Appends a line, which ends with a newline and has no other.
    pub(crate) fn append(&mut self, line: &[u8]) {
        self.pending.extend_from_slice(line);
        if self.pending.len() >= PENDING_BYTES_MAX {
            self.flush();
        }
    }

    /// Writes the pending lines. Those that could not be written are lost, and the next ones are tried again.
    pub(crate) fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let lines = count_lines(&self.pending);
        let (logged, outcome) = self.write_pending();
        self.pending.clear();
        self.logged += logged;
        self.lost += lines - logged;
        match outcome {
            Err(error) if !self.failing => {
                self.failing = true;
                note(format_args!("writing {}: {error}; lines are being lost", self.path.display()));
            }
            Ok(()) if self.failing => {
                self.failing = false;
                note(format_args!("writing {} works again; lines lost so far: {}", self.path.display(), self.lost));
            }
            _ => {}
        }
    }

    /// How many lines are in the file, and how many are not.
    pub(crate) fn logged_and_lost(&self) -> (u64, u64) {
        (self.logged, self.lost)
    }

    /// Returns how many whole lines were written.
    fn write_pending(&mut self) -> (u64, io::Result<()>) {
        if self.torn {
            if let Err(error) = self.file.write_all(b"\n") {
                return (0, Err(error));
            }
            self.torn = false;
        }
        let (written, outcome) = write_counting(&mut self.file, &self.pending);
        let written = &self.pending[..written];
        self.torn = written.last().is_some_and(|byte| *byte != b'\n');
        (count_lines(written), outcome)
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A disk with room for so many bytes.
    struct Disk {
        content: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= count;
            self.content.extend(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_lines_but_tears_none_into_another() {
        let mut log = LogFile::new(Path::new("full.log"), Disk { content: vec![], room: 8 }, false);
        log.append(b"one\n");
        log.append(b"two\n");
        log.append(b"three\n");
        log.flush();
        assert_eq!(log.logged_and_lost(), (2, 1));

        log.file.room = 2;
        log.append(b"four\n");
        log.flush();
        assert_eq!(log.logged_and_lost(), (2, 2));

        log.file.room = 100;
        log.append(b"five\n");
        log.flush();
        assert_eq!(log.logged_and_lost(), (3, 2));
        assert_eq!(String::from_utf8_lossy(&log.file.content), "one\ntwo\nfo\nfive\n");
    }

    #[test]
    fn a_renamed_log_is_continued_in_a_new_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, rotated) = (directory.path().join("s.log"), directory.path().join("s.log.1"));
        let mut log = LogFile::open(&path).expect("writable");
        log.append(b"one\n");
        fs::rename(&path, &rotated).expect("renamed");
        log.append(b"two\n");
        log.reopen();
        log.append(b"three\n");
        log.flush();
        assert_eq!(fs::read_to_string(&rotated).expect("a file"), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "three\n");
        assert_eq!(log.logged_and_lost(), (3, 0));
    }

    #[test]
    fn a_log_that_cannot_be_reopened_goes_on_as_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let folder = directory.path().join("logs");
        fs::create_dir(&folder).expect("a folder");
        let mut log = LogFile::open(&folder.join("s.log")).expect("writable");
        fs::rename(&folder, directory.path().join("moved")).expect("renamed");
        log.reopen();
        log.append(b"one\n");
        log.flush();
        assert_eq!(fs::read_to_string(directory.path().join("moved/s.log")).expect("a file"), "one\n");
    }

    #[test]
    fn a_line_that_was_cut_off_is_ended_first() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("s.log");
        fs::write(&path, "whole\ncut o").expect("a file");
        let mut log = LogFile::open(&path).expect("writable");
        log.append(b"new\n");
        log.flush();
        assert_eq!(fs::read_to_string(&path).expect("a file"), "whole\ncut o\nnew\n");
    }
}
