//! What a call did with buckets, as it stands in a capture.

use crate::buckets::{BucketLog, BucketUse, OperationKind, Reply};
use prost::{Enumeration, Message};

/// What a call did with buckets, in order.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Buckets {
    /// Each use.
    #[prost(message, repeated, tag = "1")]
    pub uses: Vec<Use>,
    /// Whether there were more than are kept of a call.
    #[prost(bool, tag = "2")]
    pub is_cut: bool,
}

/// One use of a bucket. Of what comes of it, there is what its operation gives.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Use {
    /// The bucket's name.
    #[prost(string, tag = "1")]
    pub bucket: String,
    /// What was done.
    #[prost(enumeration = "UseKind", tag = "2")]
    pub kind: i32,
    /// The key; of a list the cursor, empty for none.
    #[prost(string, tag = "3")]
    pub key: String,
    /// What was added.
    #[prost(sint64, tag = "4")]
    pub delta: i64,
    /// Why nothing came of it; empty if something did.
    #[prost(string, tag = "5")]
    pub error: String,
    /// Whether the key was there; of a swap, whether it was as it had been read.
    #[prost(bool, tag = "6")]
    pub found: bool,
    /// The value that was read.
    #[prost(bytes = "bytes", tag = "7")]
    pub value: bytes::Bytes,
    /// The sum; of what is read to be swapped, its version.
    #[prost(sint64, tag = "8")]
    pub number: i64,
    /// The keys that were listed.
    #[prost(string, repeated, tag = "9")]
    pub keys: Vec<String>,
    /// The cursor that came with them, empty with the last ones.
    #[prost(string, tag = "10")]
    pub cursor: String,
    /// Of a swap that was not done, whether there is a value now.
    #[prost(bool, tag = "11")]
    pub has_value: bool,
}

/// What is done with a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
#[allow(missing_docs)]
pub enum UseKind {
    Get = 0,
    Set = 1,
    Delete = 2,
    Exists = 3,
    ListKeys = 4,
    Increment = 5,
    /// Reads what is to be swapped.
    Watch = 6,
    Swap = 7,
}

const KINDS: [(UseKind, OperationKind); 8] = [
    (UseKind::Get, OperationKind::Get),
    (UseKind::Set, OperationKind::Set),
    (UseKind::Delete, OperationKind::Delete),
    (UseKind::Exists, OperationKind::Exists),
    (UseKind::ListKeys, OperationKind::ListKeys),
    (UseKind::Increment, OperationKind::Increment),
    (UseKind::Watch, OperationKind::Watch),
    (UseKind::Swap, OperationKind::Swap),
];

impl From<&BucketLog> for Buckets {
    fn from(BucketLog { uses, is_cut }: &BucketLog) -> Self {
        Self { uses: uses.iter().map(Use::from).collect(), is_cut: *is_cut }
    }
}

impl From<Buckets> for BucketLog {
    fn from(Buckets { uses, is_cut }: Buckets) -> Self {
        Self { uses: uses.into_iter().map(BucketUse::from).collect(), is_cut }
    }
}

impl From<&BucketUse> for Use {
    fn from(BucketUse { bucket, kind, key, delta, reply }: &BucketUse) -> Self {
        let kind = KINDS.iter().find(|(_, other)| other == kind).map_or(UseKind::Get, |(kind, _)| *kind);
        let asked =
            Self { bucket: bucket.clone(), kind: kind.into(), key: key.clone(), delta: *delta, ..Self::default() };
        match reply {
            Ok(Reply::Done) => Self { found: true, ..asked },
            Ok(Reply::Exists(found)) => Self { found: *found, ..asked },
            Ok(Reply::Number(number)) => Self { number: *number, ..asked },
            Ok(Reply::Value(value)) => {
                Self { found: value.is_some(), value: value.clone().unwrap_or_default(), ..asked }
            }
            Ok(Reply::Versioned { value, version }) => Self {
                has_value: value.is_some(),
                value: value.clone().unwrap_or_default(),
                number: version.cast_signed(),
                ..asked
            },
            Ok(Reply::Keys { keys, cursor }) => {
                Self { keys: keys.clone(), cursor: cursor.clone().unwrap_or_default(), ..asked }
            }
            Err(error) => Self { error: error.clone(), ..asked },
        }
    }
}

impl From<Use> for BucketUse {
    fn from(one: Use) -> Self {
        let of_file = one.kind();
        let kind = KINDS.iter().find(|(kind, _)| *kind == of_file).map_or(OperationKind::Get, |(_, kind)| *kind);
        let Use { bucket, key, delta, error, found, value, number, keys, cursor, has_value, .. } = one;
        let versioned = |value| Reply::Versioned { value, version: number.cast_unsigned() };
        let reply = match kind {
            _ if !error.is_empty() => Err(error),
            OperationKind::Get => Ok(Reply::Value(found.then_some(value))),
            OperationKind::Set | OperationKind::Delete => Ok(Reply::Done),
            OperationKind::Exists => Ok(Reply::Exists(found)),
            OperationKind::Increment => Ok(Reply::Number(number)),
            OperationKind::Swap if found => Ok(Reply::Done),
            OperationKind::Watch | OperationKind::Swap => Ok(versioned(has_value.then_some(value))),
            OperationKind::ListKeys => Ok(Reply::Keys { keys, cursor: (!cursor.is_empty()).then_some(cursor) }),
        };
        Self { bucket, kind, key, delta, reply }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_was_told_is_read_as_it_was_written() {
        let value = |text: &'static str| Some(bytes::Bytes::from(text));
        let replies = [
            (OperationKind::Get, Ok(Reply::Value(None))),
            (OperationKind::Get, Ok(Reply::Value(value("")))),
            (OperationKind::Get, Ok(Reply::Value(value("v")))),
            (OperationKind::Set, Ok(Reply::Done)),
            (OperationKind::Set, Err("is full".to_owned())),
            (OperationKind::Delete, Ok(Reply::Done)),
            (OperationKind::Exists, Ok(Reply::Exists(true))),
            (OperationKind::Exists, Ok(Reply::Exists(false))),
            (OperationKind::ListKeys, Ok(Reply::Keys { keys: vec!["a".to_owned()], cursor: None })),
            (OperationKind::ListKeys, Ok(Reply::Keys { keys: Vec::new(), cursor: Some("a".to_owned()) })),
            (OperationKind::Increment, Ok(Reply::Number(-7))),
            (OperationKind::Watch, Ok(Reply::Versioned { value: None, version: 0 })),
            (OperationKind::Watch, Ok(Reply::Versioned { value: value("v"), version: u64::MAX })),
            (OperationKind::Swap, Ok(Reply::Done)),
            (OperationKind::Swap, Ok(Reply::Versioned { value: value("w"), version: 2 })),
            (OperationKind::Swap, Ok(Reply::Versioned { value: None, version: 0 })),
        ];
        let uses = replies.map(|(kind, reply)| BucketUse {
            bucket: "b".to_owned(),
            kind,
            key: "k".to_owned(),
            delta: -1,
            reply,
        });
        let log = BucketLog { uses: uses.into(), is_cut: true };
        let bytes = Buckets::from(&log).encode_to_vec();
        assert_eq!(BucketLog::from(Buckets::decode(&*bytes).unwrap()), log);
    }
}
