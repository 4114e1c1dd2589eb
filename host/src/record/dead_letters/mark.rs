//! A mark: what became of a letter that was replayed, as a line of its own among the letters.
//!
//! A mark is never older than its letter, so a rotation takes the letter away first, and the marks are bounded with the
//! letters.

use super::letter_file::numbered;
use crate::append::ends_within_a_line;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How often a file is looked for that a rotation may just have taken away, and the wait in between.
const ROTATION_TRIES: u32 = 5;
const ROTATION_PAUSE: Duration = Duration::from_millis(10);
/// With what the line of a mark begins, and that of no letter.
pub(super) const START: &[u8] = b"{\"replay\":";

/// A line about a letter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Mark {
    /// What became of it.
    pub replay: Replay,
    /// The letter's: the name of its request.
    pub id: String,
    /// When, as RFC 3339 has it.
    pub time: String,
}

/// How far a replay got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replay {
    /// It is being sent; if nothing follows, the replay ended there, and nobody knows whether it arrived.
    Begun,
    /// It could not be sent, or its call failed again.
    Failed,
    /// It arrived at a host, and its call gave no error that the replay was told of.
    Sent,
    /// It is the letter of a replay that failed again: the letter that was replayed stands for it.
    Repeat,
}

impl Replay {
    /// Whether nothing is left to do about the letter.
    pub fn is_dealt_with(self) -> bool {
        matches!(self, Self::Sent | Self::Repeat)
    }

    /// As it stands in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Failed => "failed",
            Self::Sent => "sent",
            Self::Repeat => "repeat",
        }
    }
}

impl Mark {
    /// A mark of this moment.
    pub fn now(replay: Replay, id: &str) -> Self {
        Self { replay, id: id.to_owned(), time: format!("{:.3}", jiff::Timestamp::now()) }
    }

    /// Appends it to the newest file of letters, in one write, as the host appends a letter: whichever of them comes
    /// first, both are whole.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be written.
    pub fn append(&self, file: &Path) -> io::Result<()> {
        let mut tries = 0;
        loop {
            // Between two files of a rotation the newest is the one that was rotated.
            let appended = match self.try_append(file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.try_append(&numbered(file, 1)),
                appended => appended,
            };
            match appended {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < ROTATION_TRIES => {
                    tries += 1;
                    std::thread::sleep(ROTATION_PAUSE);
                }
                appended => return appended,
            }
        }
    }

    fn try_append(&self, file: &Path) -> io::Result<()> {
        let mut line = if ends_within_a_line(file) { b"\n".to_vec() } else { Vec::new() };
        line.extend(self.line());
        // A FIFO would wait for a reader.
        let nonblocking = OFlags::NONBLOCK.bits() as i32;
        OpenOptions::new().append(true).custom_flags(nonblocking).open(file)?.write_all(&line)
    }

    /// The line of the file, with its end.
    pub(super) fn line(&self) -> Vec<u8> {
        // This cannot fail: a mark has three strings.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_line_of_its_own_even_behind_a_torn_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("letters");
        let mark = Mark::now(Replay::Sent, "1-2");
        assert_eq!(mark.append(&file).unwrap_err().kind(), io::ErrorKind::NotFound, "it makes no file");
        std::fs::write(&file, "torn").unwrap();
        mark.append(&file).unwrap();
        mark.append(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[1]), (3, "torn", lines[2]));
        assert!(lines[1].as_bytes().starts_with(START), "{text}");
        assert_eq!(serde_json::from_str::<Mark>(lines[1]).unwrap(), mark);
    }
}
