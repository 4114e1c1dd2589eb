//! What is done with a bucket, and what comes of it.

use crate::config::{BUCKET_BATCH_BYTES_MAX, BUCKET_BATCH_KEYS_MAX, BUCKET_KEY_BYTES_MAX, BUCKET_VALUE_BYTES_MAX};
use bytes::Bytes;

/// What is done with a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operation {
    /// Gives [`Reply::Value`].
    Get { key: String },
    /// Gives [`Reply::Done`].
    Set { key: String, value: Bytes },
    /// Gives [`Reply::Done`], also where there is no such key.
    Delete { key: String },
    /// Gives [`Reply::Exists`].
    Exists { key: String },
    /// Gives [`Reply::Keys`]: a part of all keys, those behind the cursor that came with the part before.
    ListKeys { cursor: Option<String> },
    /// Adds to a number in decimal digits, or to 0 where there is none. Gives [`Reply::Number`], the sum.
    Increment { key: String, delta: i64 },
    /// Gives [`Reply::Versioned`].
    Watch { key: String },
    /// Writes the value if the key is as it was when a reply said this version. Gives [`Reply::Done`], or
    /// [`Reply::Versioned`] with what is there now.
    Swap { key: String, version: u64, value: Bytes },
}

/// The operations without what they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OperationKind {
    Get,
    Set,
    Delete,
    Exists,
    ListKeys,
    Increment,
    Watch,
    Swap,
}

impl OperationKind {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Exists => "exists",
            Self::ListKeys => "list-keys",
            Self::Increment => "increment",
            Self::Watch => "watch",
            Self::Swap => "swap",
        }
    }
}

/// What comes of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reply {
    Done,
    /// None where there is no such key.
    Value(Option<Bytes>),
    Exists(bool),
    /// A part of all keys; without a cursor it is the last one.
    Keys {
        keys: Vec<String>,
        cursor: Option<String>,
    },
    Number(i64),
    /// The value, and a number that changes whenever the key is written; 0 where there is no such key.
    Versioned {
        value: Option<Bytes>,
        version: u64,
    },
}

/// What came of it, or why nothing did.
pub type Performed = Result<Reply, BucketError>;

/// Why an operation was not performed, as what is said of a bucket: the text goes on where its name ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum BucketError {
    /// A write would take it over one of its bounds.
    #[error("is full: it has {bound} {max}; delete keys, let them expire by ttl_ms, or raise the bound")]
    Full { bound: &'static str, max: usize },
    /// What a call writes is kept beside the bucket, where it serves nobody.
    #[error("takes no more than {0} bytes of one call that serves nobody")]
    TrialFull(usize),
    #[error("takes no empty key")]
    EmptyKey,
    #[error("takes no key of {0} bytes: at most {BUCKET_KEY_BYTES_MAX}")]
    KeyTooLong(usize),
    #[error("takes no value of {0} bytes: at most {BUCKET_VALUE_BYTES_MAX}")]
    ValueTooLarge(usize),
    #[error("takes no {0} keys at once: at most {BUCKET_BATCH_KEYS_MAX}")]
    TooManyKeys(usize),
    #[error("gives no more than {BUCKET_BATCH_BYTES_MAX} bytes at once: ask for fewer keys")]
    TooManyBytes,
    /// What is to be incremented is no number in decimal digits.
    #[error("holds no whole number at `{0}`, so that it cannot be incremented: set it to one, such as 0")]
    NoNumber(String),
    /// The sum does not fit 64 bits.
    #[error("holds a number at `{0}` that cannot be incremented so far: it has 64 bits")]
    Overflow(String),
    /// The backend does not answer.
    #[error("cannot be reached: {0}")]
    Unavailable(String),
    /// What was said to a call that is made again.
    #[error("{0}")]
    Again(String),
}

impl Operation {
    /// Whether what is given to it is within the bounds of every bucket.
    ///
    /// # Errors
    /// When the key is empty, or it or the value is too long.
    pub fn check(&self) -> Result<(), BucketError> {
        match self.key() {
            Some("") => return Err(BucketError::EmptyKey),
            Some(key) if key.len() > BUCKET_KEY_BYTES_MAX => return Err(BucketError::KeyTooLong(key.len())),
            Some(_) | None => {}
        }
        match self {
            Self::Set { value, .. } | Self::Swap { value, .. } if value.len() > BUCKET_VALUE_BYTES_MAX => {
                Err(BucketError::ValueTooLarge(value.len()))
            }
            _ => Ok(()),
        }
    }

    /// The key that it is about; none of [`Operation::ListKeys`].
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Get { key }
            | Self::Set { key, .. }
            | Self::Delete { key }
            | Self::Exists { key }
            | Self::Increment { key, .. }
            | Self::Watch { key }
            | Self::Swap { key, .. } => Some(key),
            Self::ListKeys { .. } => None,
        }
    }

    /// Which of them it is.
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Get { .. } => OperationKind::Get,
            Self::Set { .. } => OperationKind::Set,
            Self::Delete { .. } => OperationKind::Delete,
            Self::Exists { .. } => OperationKind::Exists,
            Self::ListKeys { .. } => OperationKind::ListKeys,
            Self::Increment { .. } => OperationKind::Increment,
            Self::Watch { .. } => OperationKind::Watch,
            Self::Swap { .. } => OperationKind::Swap,
        }
    }
}

/// The sum of what is at a key and `delta`: a number is kept as its decimal digits.
///
/// # Errors
/// When that is no number, or the sum does not fit.
pub(crate) fn incremented(key: &str, value: Option<&[u8]>, delta: i64) -> Result<i64, BucketError> {
    let number = match value {
        None => 0,
        Some(value) => std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.parse::<i64>().ok())
            .ok_or_else(|| BucketError::NoNumber(key.to_owned()))?,
    };
    number.checked_add(delta).ok_or_else(|| BucketError::Overflow(key.to_owned()))
}

/// A number as it is kept.
pub(super) fn digits(number: i64) -> Bytes {
    number.to_string().into()
}
