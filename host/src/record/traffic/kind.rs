//! What a file of captured traffic is, by how it begins: captures are MCAP files, dead letters lines of JSON.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How every MCAP file begins.
const MCAP: &[u8] = b"\x89MCAP";
/// How much of a file is looked at to see what it is.
const HEAD_BYTES: u64 = 64;

/// What a file of captured traffic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficKind {
    /// A capture.
    Capture,
    /// Dead letters.
    DeadLetters,
}

/// Why a file is none of captured traffic.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// The system does not let it be read.
    #[error("reading {}: {cause}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The error.
        cause: io::Error,
    },
    /// It is something else.
    #[error("{} is neither a capture nor a file of dead letters: give one that a host wrote", .0.display())]
    Other(PathBuf),
    /// There is nothing in it.
    #[error("{} is empty", .0.display())]
    Empty(PathBuf),
}

impl TrafficKind {
    /// What a file is.
    ///
    /// # Errors
    /// When it cannot be read, or holds no captured traffic.
    pub fn of(file: &Path) -> Result<Self, TrafficError> {
        let mut head = Vec::new();
        let read = File::open(file).and_then(|opened| opened.take(HEAD_BYTES).read_to_end(&mut head));
        read.map_err(|cause| TrafficError::Io { file: file.to_owned(), cause })?;
        if head.starts_with(MCAP) {
            return Ok(Self::Capture);
        }
        match head.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Ok(Self::DeadLetters),
            Some(_) => Err(TrafficError::Other(file.to_owned())),
            None => Err(TrafficError::Empty(file.to_owned())),
        }
    }
}
