//! Groups of differences: what differs, without what it is in each input.

use crate::config::COMPARE_NAME_BYTES_MAX;
use serde::Serialize;
use std::cmp::Ordering;
use std::fmt::{self, Display};

/// One way in which new outcomes differ from old ones. The order is that in which they are kept and shown: what weighs most comes
/// first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Calls that fail now, by the ledger's word for why.
    NewFailure(Name),
    /// Messages that are filtered now.
    FilteredNow,
    /// Messages that are filtered no more.
    NoLongerFiltered,
    /// Calls that failed before, by why they did.
    FailureGone(Name),
    /// Calls that fail for another reason; of the same one they fail with another text.
    #[allow(missing_docs)]
    FailureDiffers { old: Name, new: Name },
    /// The status of answers of HTTP.
    Status(Kind),
    /// How many messages came out.
    Messages(Kind),
    /// How long a message waits.
    Delay,
    /// How many frames a message has.
    Frames(Kind),
    /// A pair of metadata, by its key.
    #[allow(missing_docs)]
    Metadata { key: Name, kind: Kind },
    /// The order of the pairs of metadata.
    MetadataOrder,
    /// A frame that is not JSON in both: the body, which is the last one, or another one by its number.
    #[allow(missing_docs)]
    Frame { frame: Option<usize>, kind: Kind },
    /// A place in a frame that is JSON in both.
    #[allow(missing_docs)]
    Json { frame: Option<usize>, path: Name, kind: Kind },
}

/// In which way something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It has become another type of JSON, or stopped or begun to be JSON.
    Type,
    /// It was there, or there were more.
    Removed,
    /// It was not there, or there were fewer.
    Added,
    /// It is another one.
    Changed,
    /// It is the same JSON, written differently.
    Form,
}

/// A word that a plugin or a stranger may have chosen, cut where it is long. The shorter one comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Of this text.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.len() > COMPARE_NAME_BYTES_MAX {
            text.truncate(text.floor_char_boundary(COMPARE_NAME_BYTES_MAX));
            text.push('…');
        }
        Self(text)
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "of another type",
            Self::Removed => "removed",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Form => "the same JSON, written differently",
        })
    }
}

impl Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = |frame: &Option<usize>| frame.map_or("body".to_owned(), |index| format!("frame {index}"));
        let number = |kind: &Kind| if *kind == Kind::Removed { "fewer" } else { "more" };
        match self {
            Self::NewFailure(reason) => write!(f, "new failure: {reason}"),
            Self::FilteredNow => write!(f, "filtered now"),
            Self::NoLongerFiltered => write!(f, "no longer filtered"),
            Self::FailureGone(reason) => write!(f, "failure gone: {reason}"),
            Self::FailureDiffers { old, new } if old == new => write!(f, "another text of the failure: {new}"),
            Self::FailureDiffers { old, new } => write!(f, "another failure: {old}, now {new}"),
            Self::Status(kind) => write!(f, "status {kind}"),
            Self::Messages(kind) => write!(f, "{} messages", number(kind)),
            Self::Delay => write!(f, "another delay"),
            Self::Frames(kind) => write!(f, "{} frames", number(kind)),
            Self::Metadata { key, kind } => write!(f, "metadata {key} {kind}"),
            Self::MetadataOrder => write!(f, "metadata in another order"),
            Self::Frame { frame: at, kind: Kind::Type } => write!(f, "{} is JSON in one only", frame(at)),
            Self::Frame { frame: at, kind } => write!(f, "{} {kind}", frame(at)),
            Self::Json { frame: at, path, kind } => write!(f, "{} {path} {kind}", frame(at)),
        }
    }
}
