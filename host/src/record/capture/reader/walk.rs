//! The records of an MCAP file, one behind the other: where each begins and ends. Nothing that a file says of its lengths is
//! believed.

use super::CaptureError;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What a file begins and ends with.
pub(super) const MAGIC_BYTES: u64 = 8;
/// The opcode of a record, and the length of what follows.
const HEAD_BYTES: u64 = 1 + 8;

/// A file, and where in it one is.
#[derive(Debug)]
pub(super) struct FileWalk {
    path: PathBuf,
    file: BufReader<File>,
    at: u64,
    length: u64,
}

/// A record that is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) opcode: u8,
    at: u64,
    length: u64,
}

impl Head {
    /// Where it begins.
    pub(super) fn at(self) -> u64 {
        self.at
    }

    /// Where the next one begins.
    pub(super) fn end(self) -> u64 {
        self.at + HEAD_BYTES + self.length
    }

    /// The bytes of its body.
    pub(super) fn bytes(self) -> u64 {
        self.length
    }
}

impl FileWalk {
    pub(super) fn open(path: &Path) -> Result<Self, CaptureError> {
        let failed = |cause| CaptureError::Io { file: path.to_owned(), cause };
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let walk = Self { path: path.to_owned(), file: BufReader::new(file), at: 0, length: found.len() };
        match found.is_file() {
            true => Ok(walk),
            false => Err(walk.other("it is no file".to_owned())),
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// # Errors
    /// When the file is no MCAP file.
    pub(super) fn check_magic(&mut self) -> Result<(), CaptureError> {
        let mut found = [0; MAGIC_BYTES as usize];
        if self.length >= MAGIC_BYTES {
            self.read_at(0, &mut found)?;
        }
        match found == mcap::MAGIC {
            true => Ok(()),
            false => Err(self.other("it is no MCAP file".to_owned())),
        }
    }

    /// The record that begins here; none if no whole one does.
    ///
    /// # Errors
    /// When the system does not let the file be read.
    pub(super) fn head(&mut self, at: u64) -> Result<Option<Head>, CaptureError> {
        let Some(room) = self.length.checked_sub(at).and_then(|left| left.checked_sub(HEAD_BYTES)) else {
            return Ok(None);
        };
        let mut head = [0; HEAD_BYTES as usize];
        self.read_at(at, &mut head)?;
        let [opcode, length @ ..] = head;
        let length = u64::from_le_bytes(length);
        Ok((length <= room).then_some(Head { opcode, at, length }))
    }

    /// What a record holds.
    ///
    /// # Errors
    /// When that is more than it may be, or the system does not let it be read.
    pub(super) fn body(&mut self, head: Head, bytes_max: usize) -> Result<Vec<u8>, CaptureError> {
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        if length > bytes_max {
            return Err(self.other(format!("the record at {} has {length} bytes, more than {bytes_max}", head.at)));
        }
        let mut body = vec![0; length];
        self.read_at(head.at + HEAD_BYTES, &mut body)?;
        Ok(body)
    }

    /// Something is wrong with the file.
    pub(super) fn other(&self, what: String) -> CaptureError {
        CaptureError::Other { file: self.path.clone(), what }
    }

    fn read_at(&mut self, at: u64, into: &mut [u8]) -> Result<(), CaptureError> {
        self.try_read_at(at, into).map_err(|cause| CaptureError::Io { file: self.path.clone(), cause })
    }

    fn try_read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<()> {
        // What is buffered is kept where one goes on from where one was.
        match i64::try_from(i128::from(at) - i128::from(self.at)) {
            Ok(offset) => self.file.seek_relative(offset)?,
            Err(_) => self.file.seek(SeekFrom::Start(at)).map(drop)?,
        }
        self.at = at;
        self.file.read_exact(into)?;
        self.at += into.len() as u64;
        Ok(())
    }
}
