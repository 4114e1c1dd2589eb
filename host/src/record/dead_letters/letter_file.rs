//! The file of letters: one line each, bounded by rotation, and readable by its owner alone.

use crate::append::{ends_within_a_line, write_counting};
use crate::ledger::Reason;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Read and written by the owner alone: letters hold the messages of clients.
const MODE: u32 = 0o600;

/// A file that is opened for every letter. So a rotation or deletion by others needs no signal, and a write that fails
/// now may succeed with the next letter.
#[derive(Debug)]
pub(super) struct LetterFile {
    path: PathBuf,
    bytes_max: u64,
    files_max: usize,
}

/// Why a letter is not in the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("a letter of {0} bytes is larger than dead_letters.bytes_max {1}")]
    TooLarge(usize, u64),
    #[error("{}: {cause}", .file.display())]
    Failed { file: PathBuf, cause: io::Error },
}

impl WriteError {
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::TooLarge(..) => Reason::TooLarge,
            Self::Failed { .. } => Reason::WriteFailed,
        }
    }
}

impl LetterFile {
    pub(super) fn new(path: PathBuf, bytes_max: u64, files_max: usize) -> Self {
        Self { path, bytes_max, files_max }
    }

    /// Appends a line, which ends with a newline. Rotates the files before that, if this one has no room for it.
    ///
    /// # Errors
    /// When the line is larger than a file may be, or the system does not open, rotate or write the file.
    pub(super) fn append(&self, line: &[u8]) -> Result<(), WriteError> {
        if line.len() as u64 > self.bytes_max {
            return Err(WriteError::TooLarge(line.len(), self.bytes_max));
        }
        self.try_append(line).map_err(|cause| WriteError::Failed { file: self.path.clone(), cause })
    }

    fn try_append(&self, line: &[u8]) -> io::Result<()> {
        let mut file = self.open()?;
        // A line that an earlier write left unfinished is ended first, so that it does not spoil this one.
        let end: &[u8] = if ends_within_a_line(&self.path) { b"\n" } else { b"" };
        let length = file.metadata()?.len();
        if length > 0 && length + (end.len() + line.len()) as u64 > self.bytes_max {
            self.rotate()?;
            file = self.open()?;
            return write_counting(&mut file, line).1;
        }
        write_counting(&mut file, end).1?;
        write_counting(&mut file, line).1
    }

    fn open(&self) -> io::Result<File> {
        // Opening a FIFO would wait for a reader, and writing to it until it has read.
        let nonblocking = OFlags::NONBLOCK.bits() as i32;
        OpenOptions::new().append(true).create(true).mode(MODE).custom_flags(nonblocking).open(&self.path)
    }

    /// Gives every file the next number; the oldest one is lost.
    fn rotate(&self) -> io::Result<()> {
        let numbered = |number| numbered(&self.path, number);
        if self.files_max < 2 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.files_max - 1).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, numbered(1))
    }
}

/// `FILE.N`
pub(super) fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn line(number: usize) -> Vec<u8> {
        format!("letter {number}\n").into_bytes()
    }

    #[test]
    fn the_newest_letters_stay_within_bounds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters");
        let file = LetterFile::new(path.clone(), 20, 3);
        for number in 0..9 {
            file.append(&line(number)).unwrap();
        }
        let content = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(content(&path), "letter 8\n");
        assert_eq!(content(&numbered(&path, 1)), "letter 6\nletter 7\n");
        assert_eq!(content(&numbered(&path, 2)), "letter 4\nletter 5\n");
        assert!(!numbered(&path, 3).exists());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let alone = LetterFile::new(path.clone(), 20, 1);
        alone.append(&line(10)).unwrap();
        alone.append(&line(11)).unwrap();
        assert_eq!(content(&path), "letter 11\n");
        assert!(matches!(alone.append(&[b'x'; 21]), Err(WriteError::TooLarge(21, 20))));
    }

    #[test]
    fn a_torn_line_is_ended_and_a_file_that_is_gone_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters");
        fs::write(&path, "cut o").unwrap();
        let file = LetterFile::new(path.clone(), 100, 2);
        file.append(&line(1)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "cut o\nletter 1\n");
        fs::remove_file(&path).unwrap();
        file.append(&line(2)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "letter 2\n");
    }

    #[test]
    fn what_cannot_be_written_fails_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        for path in [Path::new("/dev/full"), directory.path(), Path::new("/nonexistent/letters"), &fifo] {
            let error = LetterFile::new(path.to_owned(), 100, 2).append(&line(1)).unwrap_err();
            assert_eq!(error.reason(), Reason::WriteFailed);
            assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
        }
    }
}
