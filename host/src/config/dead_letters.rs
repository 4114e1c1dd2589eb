//! Where dead letters are written, and their bounds.

use super::limits::number;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[dead_letters]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetters {
    /// The file, relative to the working directory; `none` for no dead letters.
    pub file: PathBuf,
    /// One file; with the next letter it becomes `FILE.1`, and a new one begins. A larger letter is counted, not written.
    #[serde(deserialize_with = "number::<_, _, 4_096, 1_099_511_627_776>")]
    pub bytes_max: u64,
    /// Files in all, `FILE` itself included; the oldest is deleted.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000>")]
    pub files_max: usize,
    /// Letters that wait to be written; more are counted, not written.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub queue_letters_max: usize,
    /// What those take of memory.
    #[serde(deserialize_with = "number::<_, _, 1, 4_294_967_296>")]
    pub queue_bytes_max: usize,
}

impl Default for DeadLetters {
    fn default() -> Self {
        Self {
            file: "dead-letters.jsonl".into(),
            bytes_max: 64 << 20,
            files_max: 4,
            queue_letters_max: 1_000,
            queue_bytes_max: 64 << 20,
        }
    }
}
