//! What stands in for a bucket in a call that serves nobody: what such a call writes, it alone sees.

use super::bucket::{Bucket, BucketFigures};
use super::call_log::BucketLog;
use super::operation::{BucketError, Operation, OperationKind, Performed, Reply, digits, incremented};
use crate::config::{self, BUCKET_PAGE_KEYS, BUCKET_SCRATCH_BYTES_MAX};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A bucket of one call, over what it finds there.
pub struct Scratch {
    below: Below,
    written: Mutex<Written>,
}

/// What the call finds.
enum Below {
    Nothing,
    /// What another call was told by the bucket of this name.
    Told(String, Arc<BucketLog>),
    Bucket(Arc<dyn Bucket>),
}

/// What is known of keys beside what is below: each with its value, none where it was deleted, and a version.
#[derive(Default)]
struct Written {
    keys: BTreeMap<String, (Option<Bytes>, u64)>,
    bytes: usize,
    version: u64,
    /// The replies of the log that were given, by their place in it.
    given: BTreeSet<usize>,
}

impl Scratch {
    /// An empty one.
    pub fn empty() -> Self {
        Self::over(Below::Nothing)
    }

    /// One that tells a call what another one was told, as long as it asks for the same; of keys of which that one learned a
    /// value, this value as it was then; and of all others that they are not there.
    pub fn again(name: &str, log: Arc<BucketLog>) -> Self {
        Self::over(Below::Told(name.to_owned(), log))
    }

    /// One in which a call finds what is in this bucket, and that keeps its writes from it.
    pub fn above(bucket: Arc<dyn Bucket>) -> Self {
        Self::over(Below::Bucket(bucket))
    }

    fn over(below: Below) -> Self {
        Self { below, written: Mutex::default() }
    }

    async fn perform_one(&self, operation: Operation) -> Performed {
        if let Some(reply) = self.reply_again(&operation) {
            return reply.map_err(BucketError::Again);
        }
        match operation {
            Operation::Get { key } => Ok(Reply::Value(self.value(&key).await?)),
            Operation::Exists { key } => Ok(Reply::Exists(self.value(&key).await?.is_some())),
            Operation::Set { key, value } => self.lock().write(key, Some(value)).map(|()| Reply::Done),
            Operation::Delete { key } => self.lock().write(key, None).map(|()| Reply::Done),
            Operation::Increment { key, delta } => {
                let sum = incremented(&key, self.value(&key).await?.as_deref(), delta)?;
                self.lock().write(key, Some(digits(sum))).map(|()| Reply::Number(sum))
            }
            Operation::Watch { key } => self.versioned(&key).await,
            Operation::Swap { key, version, value } => match self.versioned(&key).await? {
                Reply::Versioned { version: found, .. } if found == version => {
                    self.lock().write(key, Some(value)).map(|()| Reply::Done)
                }
                changed => Ok(changed),
            },
            Operation::ListKeys { cursor } => self.page(cursor).await,
        }
    }

    /// What the other call was told when it asked for the same, as often as it did.
    fn reply_again(&self, operation: &Operation) -> Option<Result<Reply, String>> {
        let Below::Told(name, log) = &self.below else { return None };
        let mut written = self.lock();
        let mut alike = log.uses.iter().enumerate().filter(|(_, one)| one.answers(name, operation));
        let (place, one) = alike.find(|(place, _)| !written.given.contains(place))?;
        written.given.insert(place);
        let told = match (&one.reply, operation) {
            (Ok(Reply::Done), Operation::Set { value, .. } | Operation::Swap { value, .. }) => {
                Some(Some(value.clone()))
            }
            (Ok(Reply::Done), Operation::Delete { .. }) => Some(None),
            (Ok(Reply::Number(number)), _) => Some(Some(digits(*number))),
            (Ok(Reply::Value(value) | Reply::Versioned { value, .. }), _) => Some(value.clone()),
            (Ok(Reply::Exists(false)), _) => Some(None),
            _ => None,
        };
        if let (Some(value), Some(key)) = (told, operation.key()) {
            // Over the bound it is not known, and that is all.
            let _ = written.write(key.to_owned(), value);
        }
        Some(one.reply.clone())
    }

    async fn value(&self, key: &str) -> Result<Option<Bytes>, BucketError> {
        if let Some((value, _)) = self.lock().keys.get(key) {
            return Ok(value.clone());
        }
        Ok(match &self.below {
            Below::Nothing => None,
            Below::Told(name, log) => first_known(name, log, key),
            Below::Bucket(bucket) => match bucket.perform(Operation::Get { key: key.to_owned() }).await? {
                Reply::Value(value) => value,
                _ => None,
            },
        })
    }

    /// What is below has one version: this call cannot tell whether it changes meanwhile.
    async fn versioned(&self, key: &str) -> Performed {
        let value = self.value(key).await?;
        let version = self.lock().keys.get(key).map_or(0, |(_, version)| *version);
        Ok(Reply::Versioned { value, version })
    }

    async fn page(&self, cursor: Option<String>) -> Performed {
        let Below::Bucket(bucket) = &self.below else {
            let written = self.lock();
            let behind = cursor.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let range = written.keys.range::<str, _>((behind, Bound::Unbounded));
            let there = range.filter(|(_, (value, _))| value.is_some()).map(|(key, _)| key);
            let keys: Vec<_> = there.take(BUCKET_PAGE_KEYS).cloned().collect();
            let cursor = keys.last().filter(|_| keys.len() == BUCKET_PAGE_KEYS).cloned();
            return Ok(Reply::Keys { keys, cursor });
        };
        let Reply::Keys { mut keys, cursor } = bucket.perform(Operation::ListKeys { cursor }).await? else {
            return Ok(Reply::Keys { keys: Vec::new(), cursor: None });
        };
        let written: Vec<_> = self.lock().keys.iter().map(|(key, (value, _))| (key.clone(), value.is_some())).collect();
        keys.retain(|key| !written.iter().any(|(other, is_there)| other == key && !is_there));
        if cursor.is_none() {
            // The last part has what only this call has written too.
            for (key, _) in written.into_iter().filter(|(_, is_there)| *is_there) {
                if let Reply::Exists(false) = bucket.perform(Operation::Exists { key: key.clone() }).await? {
                    keys.push(key);
                }
            }
        }
        Ok(Reply::Keys { keys, cursor })
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    /// # Errors
    /// When the call writes more than any may that serves nobody.
    fn write(&mut self, key: String, value: Option<Bytes>) -> Result<(), BucketError> {
        let bytes_of = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        let before = self.keys.get(&key).map_or(0, |(value, _)| key.len() + bytes_of(value));
        let bytes = self.bytes - before + key.len() + bytes_of(&value);
        if bytes > BUCKET_SCRATCH_BYTES_MAX && bytes > self.bytes {
            return Err(BucketError::TrialFull(BUCKET_SCRATCH_BYTES_MAX));
        }
        (self.bytes, self.version) = (bytes, self.version + 1);
        self.keys.insert(key, (value, self.version));
        Ok(())
    }
}

/// The value of a key before the call that was told of it did anything, as far as that shows it.
fn first_known(name: &str, log: &BucketLog, key: &str) -> Option<Bytes> {
    let of_key = log.uses.iter().filter(|one| {
        let is_of_key = one.kind != OperationKind::ListKeys && one.key == key;
        one.bucket == name && is_of_key
    });
    for one in of_key {
        match &one.reply {
            Ok(Reply::Value(value) | Reply::Versioned { value, .. }) => return value.clone(),
            Ok(Reply::Exists(false)) => return None,
            Ok(Reply::Number(sum)) => {
                let before = sum.wrapping_sub(one.delta);
                return (before != 0).then(|| digits(before));
            }
            // What it wrote itself was not there before, or is not known to have been.
            Ok(Reply::Done) => return None,
            Ok(Reply::Exists(true) | Reply::Keys { .. }) | Err(_) => {}
        }
    }
    None
}

impl Bucket for Scratch {
    fn perform(&self, operation: Operation) -> BoxFuture<'_, Performed> {
        Box::pin(self.perform_one(operation))
    }

    fn configure(&self, _bounds: &config::Bucket) {}

    fn figures(&self) -> BucketFigures {
        BucketFigures::default()
    }
}

#[cfg(test)]
mod tests;
