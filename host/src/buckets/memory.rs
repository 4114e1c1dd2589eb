//! A bucket in the memory of the host: it outlives the plugin's swaps, and ends with the host.

mod entries;
#[cfg(test)]
mod simulation;

use super::bucket::{Bucket, BucketFigures};
use super::operation::{BucketError, Operation, Performed};
use crate::config;
use entries::Entries;
use futures_util::future::{BoxFuture, ready};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Keys whose time is over that one turn removes where a bucket is full, or somebody asks what it holds; the lock is let go after
/// each turn.
const EXPIRED_PER_TURN: usize = 1_024;

/// Its keys and values.
pub struct Memory {
    entries: Mutex<Entries>,
    now: fn() -> Instant,
}

impl Memory {
    /// An empty one with these bounds.
    pub fn new(bounds: &config::Bucket) -> Self {
        Self::with_clock(bounds, Instant::now)
    }

    /// The same, with another clock.
    fn with_clock(bounds: &config::Bucket, now: fn() -> Instant) -> Self {
        Self { entries: Mutex::new(Entries::new(bounds.into())), now }
    }

    fn perform_at(&self, operation: &Operation, now: Instant) -> Performed {
        loop {
            let mut entries = self.lock();
            match entries.perform(operation, now) {
                // It may be full of what nobody sees any more.
                Err(BucketError::Full { .. }) if entries.expire(now, EXPIRED_PER_TURN) > 0 => {}
                Err(full @ BucketError::Full { .. }) => {
                    entries.note_refused();
                    return Err(full);
                }
                performed => return performed,
            }
        }
    }

    /// Held for one operation of some hundred nanoseconds, or a page of keys.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket for Memory {
    fn perform(&self, operation: Operation) -> BoxFuture<'_, Performed> {
        Box::pin(ready(self.perform_at(&operation, (self.now)())))
    }

    fn configure(&self, bounds: &config::Bucket) {
        self.lock().configure(bounds.into());
    }

    fn forget(&self) {
        self.lock().clear();
    }

    fn figures(&self) -> BucketFigures {
        let now = (self.now)();
        while self.lock().expire(now, EXPIRED_PER_TURN) == EXPIRED_PER_TURN {}
        self.lock().figures()
    }
}

/// The bounds of a bucket in memory.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    keys_max: usize,
    bytes_max: usize,
    /// None where a value stays until it is deleted.
    ttl: Option<Duration>,
}

impl From<&config::Bucket> for Bounds {
    fn from(&config::Bucket { keys_max, bytes_max, ttl_ms, .. }: &config::Bucket) -> Self {
        Self { keys_max, bytes_max, ttl: (ttl_ms > 0).then(|| Duration::from_millis(ttl_ms)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buckets::Reply;
    use std::sync::Arc;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn counters_of_many_threads_are_exact() {
        let bucket = Arc::new(Memory::new(&config::Bucket::default()));
        let count = || {
            let bucket = Arc::clone(&bucket);
            tokio::spawn(async move {
                for number in 0..1_000 {
                    let key = format!("k{}", number % 3);
                    bucket.perform(Operation::Increment { key, delta: 2 }).await.unwrap();
                }
            })
        };
        for counting in [count(), count(), count(), count()] {
            counting.await.unwrap();
        }
        let mut sum = 0;
        for key in ["k0", "k1", "k2"] {
            let read = bucket.perform(Operation::Increment { key: key.to_owned(), delta: 0 }).await;
            let Ok(Reply::Number(number)) = read else { panic!("{read:?}") };
            sum += number;
        }
        assert_eq!(sum, 8_000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_those_who_swap_at_the_same_time_one_does() {
        let bucket = Arc::new(Memory::new(&config::Bucket::default()));
        let add_one = || {
            let bucket = Arc::clone(&bucket);
            tokio::spawn(async move {
                for _ in 0..500 {
                    let mut read = bucket.perform(Operation::Watch { key: "k".to_owned() }).await.unwrap();
                    while let Reply::Versioned { value, version } = read {
                        let before: u64 =
                            value.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap());
                        let value = (before + 1).to_string().into();
                        let swap = Operation::Swap { key: "k".to_owned(), version, value };
                        read = bucket.perform(swap).await.unwrap();
                    }
                }
            })
        };
        for adding in [add_one(), add_one(), add_one(), add_one()] {
            adding.await.unwrap();
        }
        let read = bucket.perform(Operation::Get { key: "k".to_owned() }).await;
        assert_eq!(read, Ok(Reply::Value(Some("2000".into()))));
    }
}
