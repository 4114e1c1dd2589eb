//! `[capture]`: where messages and calls are recorded, and how much of them.

mod bounds;

pub use bounds::*;

use super::document::Mistake;
use super::limits::{milliseconds, number};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The word for no directory.
const NONE: &str = "none";

/// `[capture]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capture {
    /// The directory of the files, which is made when there is one to write, readable by the host's user alone; `none` if
    /// nothing may be captured.
    pub directory: PathBuf,
    /// The largest file that a capture may be asked for, and what one has that is not asked for another bound.
    #[serde(deserialize_with = "number::<_, _, 65_536, 1_099_511_627_776>")]
    pub bytes_max: u64,
    /// Always record everything, and keep about so much of the last time in the files of a ring; 0 for no ring.
    #[serde(deserialize_with = "milliseconds::<_, _, 0, 604_800_000>")]
    pub ring_ms: u64,
    /// All files of the ring together.
    #[serde(deserialize_with = "number::<_, _, 1_048_576, 1_099_511_627_776>")]
    pub ring_bytes_max: u64,
    /// Keys of metadata, or their last parts, whose values no file gets.
    pub redact_metadata: Vec<String>,
    /// Records that wait to be written, of each capture.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub queue_messages_max: usize,
    /// Their bytes.
    #[serde(deserialize_with = "number::<_, _, 1_048_576, 17_179_869_184>")]
    pub queue_bytes_max: usize,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            directory: "captures".into(),
            bytes_max: 1 << 30,
            ring_ms: 0,
            ring_bytes_max: 256 << 20,
            redact_metadata: Vec::new(),
            queue_messages_max: 100_000,
            queue_bytes_max: 64 << 20,
        }
    }
}

impl Capture {
    /// Whether anything may be captured.
    pub fn has_directory(&self) -> bool {
        self.directory.as_os_str() != NONE
    }
}

/// Whether what is said of captures fits together.
///
/// # Errors
/// The first mistake.
pub(super) fn check(capture: &Capture) -> Result<(), Mistake> {
    let mistake = |key, what: String| Err(Mistake::within("capture", what).at(key));
    if capture.ring_ms > 0 && !capture.has_directory() {
        return mistake("ring_ms", "a ring needs a place: set capture.directory to another one than `none`".to_owned());
    }
    if capture.directory.as_os_str().is_empty() {
        return mistake("directory", "it is empty: name a directory, or `none`".to_owned());
    }
    check_redacted(&capture.redact_metadata).or_else(|what| mistake("redact_metadata", what))
}

/// Whether these can be keys of metadata.
///
/// # Errors
/// Names the one that cannot, or the bound.
pub fn check_redacted(keys: &[String]) -> Result<(), String> {
    if keys.len() > CAPTURE_REDACTED_KEYS_MAX {
        return Err(format!("{} keys are more than {CAPTURE_REDACTED_KEYS_MAX}", keys.len()));
    }
    let is_sound = |key: &String| !key.is_empty() && key.len() <= 256 && !key.contains(char::is_whitespace);
    match keys.iter().find(|key| !is_sound(key)) {
        Some(key) => Err(format!("`{}` is no key of metadata, such as authorization", key.escape_debug())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn what_does_not_fit_together_is_named_with_its_line_and_a_remedy() {
        for (text, named) in [
            ("[capture]\nring_ms = '5m'\ndirectory = 'none'", ["capture.ring_ms", "line 2", "set capture.directory"]),
            ("[capture]\nredact_metadata = ['a b']", ["capture.redact_metadata", "line 2", "`a b`"]),
            ("[capture]\ndirectory = ''", ["capture.directory", "line 2", "`none`"]),
        ] {
            let (config, document) = Config::parse(text.to_owned()).unwrap();
            let error = config.check(&document).unwrap_err();
            for word in named {
                assert!(error.contains(word), "{word:?} is not in: {error}");
            }
        }
        assert!(Config::parse("[capture]\nbytes_max = 1".to_owned()).unwrap_err().contains("not between 65536"));
    }
}
