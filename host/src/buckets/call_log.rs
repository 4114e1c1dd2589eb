//! What one call did with buckets and was told by them, so that it can be made again and be told the same.

use super::operation::{Operation, OperationKind, Performed, Reply};
use crate::config::{BUCKET_LOG_BYTES_MAX, BUCKET_LOG_USES_MAX};
use std::sync::{Arc, Mutex, PoisonError};

/// The uses of one call, in their order, up to bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketLog {
    /// The first of them.
    pub uses: Vec<BucketUse>,
    /// Whether there were more than are kept of a call.
    pub is_cut: bool,
}

/// One use of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUse {
    /// The bucket's name.
    pub bucket: String,
    /// What was done.
    pub kind: OperationKind,
    /// The key; of [`OperationKind::ListKeys`] the cursor, empty for none.
    pub key: String,
    /// What was added, of [`OperationKind::Increment`].
    pub delta: i64,
    /// What came of it, or the text of the error.
    pub reply: Result<Reply, String>,
}

/// How a call is to meet buckets.
#[derive(Clone, Debug, Default)]
pub enum CallBuckets {
    /// As they are.
    #[default]
    Plain,
    /// As they are, and what it does and is told is written down.
    Logged(SharedLog),
    /// As another call met them: it is told the same, and changes nothing.
    Again(Arc<BucketLog>),
}

impl PartialEq for CallBuckets {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain, Self::Plain) => true,
            (Self::Logged(one), Self::Logged(other)) => Arc::ptr_eq(&one.0, &other.0),
            (Self::Again(one), Self::Again(other)) => one == other,
            _ => false,
        }
    }
}

impl Eq for CallBuckets {}

/// A log that a call writes while somebody else waits for it.
#[derive(Clone, Debug, Default)]
pub struct SharedLog(Arc<Mutex<BucketLog>>);

impl SharedLog {
    /// Writes down a use.
    pub fn add(&self, one: BucketUse) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.is_cut || log.uses.len() >= BUCKET_LOG_USES_MAX || log.bytes() + one.bytes() > BUCKET_LOG_BYTES_MAX {
            log.is_cut = true;
            return;
        }
        log.uses.push(one);
    }

    /// What was written so far, which is not there any more then; none if nothing was.
    pub fn take(&self) -> Option<Arc<BucketLog>> {
        let log = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (log != BucketLog::default()).then(|| Arc::new(log))
    }
}

impl BucketLog {
    /// About how much it takes in memory.
    pub fn bytes(&self) -> usize {
        self.uses.iter().map(BucketUse::bytes).sum()
    }
}

impl BucketUse {
    /// What was asked, to be completed by what came of it.
    pub fn of(bucket: &str, operation: &Operation, performed: &Performed) -> Self {
        let (kind, key, delta) = asked(operation);
        let reply = performed.clone().map_err(|error| error.to_string());
        Self { bucket: bucket.to_owned(), kind, key: key.to_owned(), delta, reply }
    }

    /// Whether it was the same that is asked now: of a write, whatever is written.
    pub(super) fn answers(&self, bucket: &str, operation: &Operation) -> bool {
        self.bucket == bucket && (self.kind, &*self.key, self.delta) == asked(operation)
    }

    fn bytes(&self) -> usize {
        let of_reply = match &self.reply {
            Ok(Reply::Value(value) | Reply::Versioned { value, .. }) => value.as_ref().map_or(0, bytes::Bytes::len),
            Ok(Reply::Keys { keys, cursor }) => {
                keys.iter().chain(cursor).map(|key| size_of::<String>() + key.len()).sum()
            }
            Ok(Reply::Done | Reply::Exists(_) | Reply::Number(_)) => 0,
            Err(text) => text.len(),
        };
        size_of::<Self>() + self.bucket.len() + self.key.len() + of_reply
    }
}

fn asked(operation: &Operation) -> (OperationKind, &str, i64) {
    let key = match operation {
        Operation::ListKeys { cursor } => cursor.as_deref().unwrap_or_default(),
        other => other.key().unwrap_or_default(),
    };
    let delta = if let Operation::Increment { delta, .. } = operation { *delta } else { 0 };
    (operation.kind(), key, delta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_call_is_bounded() {
        let log = SharedLog::default();
        assert_eq!(log.take(), None);
        let operation = Operation::Get { key: "k".to_owned() };
        let add =
            |value: usize| log.add(BucketUse::of("b", &operation, &Ok(Reply::Value(Some(vec![0; value].into())))));
        (0..=BUCKET_LOG_USES_MAX).for_each(|_| add(1));
        let kept = log.take().unwrap();
        assert_eq!((kept.uses.len(), kept.is_cut), (BUCKET_LOG_USES_MAX, true));
        add(BUCKET_LOG_BYTES_MAX / 2);
        add(BUCKET_LOG_BYTES_MAX / 2);
        // What follows is not kept either: a later use of the same key must not be taken for an earlier one.
        add(1);
        let kept = log.take().unwrap();
        assert_eq!((kept.uses.len(), kept.is_cut), (1, true));
        assert_eq!(log.take(), None);
    }
}
