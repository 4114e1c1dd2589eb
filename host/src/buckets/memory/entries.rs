//! The entries of a bucket in memory: by key, and by when their time is over. The time is handed in.

use super::Bounds;
use crate::buckets::bucket::BucketFigures;
use crate::buckets::operation::{BucketError, Operation, Performed, Reply, digits, incremented};
use crate::config::{BUCKET_ENTRY_BYTES, BUCKET_PAGE_KEYS};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

/// Entries whose time is over that each operation removes beside what it does: more than it can add, so that they become fewer.
const EXPIRED_PER_OPERATION: usize = 8;

pub(super) struct Entries {
    bounds: Bounds,
    by_key: BTreeMap<Arc<str>, Entry>,
    /// Those whose time ends, in that order. Each write of a key has a version of its own.
    by_end: BTreeMap<(Instant, u64), Arc<str>>,
    bytes: usize,
    version: u64,
    refused: u64,
    expired: u64,
}

struct Entry {
    value: Bytes,
    version: u64,
    end: Option<Instant>,
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

fn bytes_of(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + BUCKET_ENTRY_BYTES
}

impl Entries {
    pub(super) fn new(bounds: Bounds) -> Self {
        let (by_key, by_end, bytes, version, refused, expired) = Default::default();
        Self { bounds, by_key, by_end, bytes, version, refused, expired }
    }

    pub(super) fn configure(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    pub(super) fn clear(&mut self) {
        (self.by_key, self.by_end, self.bytes) = Default::default();
    }

    pub(super) fn figures(&self) -> BucketFigures {
        let Self { by_key, bytes, refused, expired, .. } = self;
        BucketFigures { keys: by_key.len() as u64, bytes: *bytes as u64, refused: *refused, expired: *expired }
    }

    pub(super) fn note_refused(&mut self) {
        self.refused += 1;
    }

    /// Removes what is over, so many at most, and says how many it removed.
    pub(super) fn expire(&mut self, now: Instant, max: usize) -> usize {
        let mut count = 0;
        while count < max
            && let Some(first) = self.by_end.first_entry()
            && first.key().0 <= now
        {
            let key = first.remove();
            self.forget(&key);
            count += 1;
        }
        self.expired += count as u64;
        count
    }

    /// # Errors
    /// When a write would take the bucket over a bound, or there is no number to increment.
    pub(super) fn perform(&mut self, operation: &Operation, now: Instant) -> Performed {
        self.expire(now, EXPIRED_PER_OPERATION);
        if let Some(key) = operation.key()
            && self.by_key.get(key).is_some_and(|entry| entry.is_over(now))
        {
            self.remove(key);
            self.expired += 1;
        }
        match operation {
            Operation::Get { key } => Ok(Reply::Value(self.value(key))),
            Operation::Set { key, value } => self.write(key, value.clone(), now).map(|()| Reply::Done),
            Operation::Delete { key } => {
                self.remove(key);
                Ok(Reply::Done)
            }
            Operation::Exists { key } => Ok(Reply::Exists(self.by_key.contains_key(&**key))),
            Operation::ListKeys { cursor } => Ok(self.page(cursor.as_deref(), now)),
            Operation::Increment { key, delta } => {
                let sum = incremented(key, self.value(key).as_deref(), *delta)?;
                self.write(key, digits(sum), now).map(|()| Reply::Number(sum))
            }
            Operation::Watch { key } => Ok(self.versioned(key)),
            Operation::Swap { key, version, value } => match self.versioned(key) {
                Reply::Versioned { version: now_there, .. } if now_there == *version => {
                    self.write(key, value.clone(), now).map(|()| Reply::Done)
                }
                changed => Ok(changed),
            },
        }
    }

    fn value(&self, key: &str) -> Option<Bytes> {
        self.by_key.get(key).map(|entry| entry.value.clone())
    }

    fn versioned(&self, key: &str) -> Reply {
        match self.by_key.get(key) {
            Some(entry) => Reply::Versioned { value: Some(entry.value.clone()), version: entry.version },
            None => Reply::Versioned { value: None, version: 0 },
        }
    }

    /// # Errors
    /// When the bucket is full: nothing that is there makes room. What takes less than before is always written.
    fn write(&mut self, key: &str, value: Bytes, now: Instant) -> Result<(), BucketError> {
        let Bounds { keys_max, bytes_max, ttl } = self.bounds;
        let before = self.by_key.get(key).map(|entry| bytes_of(key, &entry.value));
        if before.is_none() && self.by_key.len() >= keys_max {
            return Err(BucketError::Full { bound: "keys_max", max: keys_max });
        }
        let bytes = self.bytes - before.unwrap_or(0) + bytes_of(key, &value);
        if bytes > bytes_max && bytes > self.bytes {
            return Err(BucketError::Full { bound: "bytes_max", max: bytes_max });
        }
        let key: Arc<str> = match self.by_key.get_key_value(key) {
            Some((key, _)) => Arc::clone(key),
            None => key.into(),
        };
        self.version += 1;
        let (version, end) = (self.version, ttl.and_then(|ttl| now.checked_add(ttl)));
        if let Some(end) = end {
            self.by_end.insert((end, version), Arc::clone(&key));
        }
        if let Some(Entry { version, end: Some(end), .. }) = self.by_key.insert(key, Entry { value, version, end }) {
            self.by_end.remove(&(end, version));
        }
        self.bytes = bytes;
        Ok(())
    }

    fn remove(&mut self, key: &str) {
        if let Some(Entry { version, end: Some(end), .. }) = self.forget(key) {
            self.by_end.remove(&(end, version));
        }
    }

    /// Removes an entry from all but the order of ends.
    fn forget(&mut self, key: &str) -> Option<Entry> {
        let entry = self.by_key.remove(key)?;
        self.bytes -= bytes_of(key, &entry.value);
        Some(entry)
    }

    /// So many keys behind the cursor, which is the last one that was looked at; fewer where some are over.
    fn page(&self, cursor: Option<&str>, now: Instant) -> Reply {
        let behind = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let range = || self.by_key.range::<str, _>((behind, Bound::Unbounded)).take(BUCKET_PAGE_KEYS);
        let keys = range().filter(|(_, entry)| !entry.is_over(now)).map(|(key, _)| key.to_string()).collect();
        let (count, last) = (range().count(), range().last());
        let cursor = last.filter(|_| count == BUCKET_PAGE_KEYS).map(|(key, _)| key.to_string());
        Reply::Keys { keys, cursor }
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        let bytes: usize = self.by_key.iter().map(|(key, entry)| bytes_of(key, &entry.value)).sum();
        assert_eq!(self.bytes, bytes);
        let ending = self.by_key.values().filter(|entry| entry.end.is_some()).count();
        assert_eq!(self.by_end.len(), ending);
        for ((end, version), key) in &self.by_end {
            let entry = &self.by_key[key];
            assert_eq!((entry.end, entry.version), (Some(*end), *version));
        }
    }
}
