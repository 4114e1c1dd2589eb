//! A bucket: keys with values, behind which any backend may stand.

use super::operation::{Operation, Performed};
use crate::config;
use futures_util::future::BoxFuture;

/// Keys with values. Calls of many threads use it at the same time.
pub trait Bucket: Send + Sync {
    /// Performs an operation as a whole or not at all. It never blocks: what has to wait is a future, which counts against the
    /// deadline of the call that waits for it, and may be dropped before its end.
    ///
    /// # Errors
    /// When the bucket is full, the operation does not fit what is there, or the backend cannot be reached.
    fn perform(&self, operation: Operation) -> BoxFuture<'_, Performed>;

    /// Has other bounds come into force: for what is written from now on.
    fn configure(&self, bounds: &config::Bucket);

    /// It is not granted any more: what ends with the host is let go now, though earlier generations may still know the bucket.
    fn forget(&self) {}

    /// What it holds, and what became of writes.
    fn figures(&self) -> BucketFigures;
}

/// What a bucket holds, and what became of writes since the host's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketFigures {
    /// Keys at present.
    pub keys: u64,
    /// What they and their values take, as `bytes_max` counts it.
    pub bytes: u64,
    /// Writes that were refused because it was full.
    pub refused: u64,
    /// Keys that are gone because their time was over.
    pub expired: u64,
}
