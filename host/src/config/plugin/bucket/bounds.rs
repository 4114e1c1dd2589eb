//! What is fixed of buckets: the bounds that no configuration changes.

/// Buckets that one plugin may be granted.
pub const BUCKETS_MAX: usize = 16;
/// The name of a bucket.
pub const BUCKET_NAME_BYTES_MAX: usize = 64;
/// A key of a bucket.
pub const BUCKET_KEY_BYTES_MAX: usize = 1 << 10;
/// A value of a bucket.
pub const BUCKET_VALUE_BYTES_MAX: usize = 1 << 20;
/// What an entry of a bucket counts beside its key and value: for the places it has in the host's memory.
pub const BUCKET_ENTRY_BYTES: usize = 256;
/// Keys that are listed at once, if the bucket has more, with a cursor for the next ones.
pub const BUCKET_PAGE_KEYS: usize = 1_000;
/// Keys of one call of `wasi:keyvalue/batch`.
pub const BUCKET_BATCH_KEYS_MAX: usize = 1_000;
/// The values that such a call may be given: the host holds them until the guest has them.
pub const BUCKET_BATCH_BYTES_MAX: usize = 16 << 20;
/// Uses of buckets that are kept of one recorded call; a call that makes more is told of the rest that it is not there when it is
/// made again.
pub const BUCKET_LOG_USES_MAX: usize = 1_000;
/// Their bytes.
pub const BUCKET_LOG_BYTES_MAX: usize = 256 << 10;
/// What a call may write to a bucket that serves nobody, in bytes of keys and values: nobody else sees it, and it is gone with the call.
pub const BUCKET_SCRATCH_BYTES_MAX: usize = 16 << 20;
