//! What is fixed of captures: the bounds and paces that no configuration changes.

/// Channels of a capture, each for a topic of a place; the records of other topics share the one of their place. Topics are
/// strangers' words.
pub const CAPTURE_CHANNELS_MAX: usize = 250;
/// The longest topic that has a channel of its own.
pub const CAPTURE_TOPIC_BYTES_MAX: usize = 256;
/// What a chunk of a capture has before it is compressed: then it is written, if not for its age before.
pub const CAPTURE_CHUNK_BYTES: u64 = 1 << 20;
/// One record of a capture: a message with what was answered.
pub const CAPTURE_RECORD_BYTES_MAX: usize = 64 << 20;
/// The largest chunk that is read: one with a record of that size behind others.
pub const CAPTURE_CHUNK_BYTES_MAX: usize = 68 << 20;
/// Records of a chunk that is read. One that a host writes has less: it is written once it has 1 MiB, and each record takes 47
/// bytes at least.
pub const CAPTURE_CHUNK_RECORDS_MAX: usize = 32_768;
/// The name of a flow, a route or a policy in a capture that is read: of a longer one no record is taken.
pub const CAPTURE_NAME_BYTES_MAX: usize = 1 << 10;
/// What the index at the end of a file may have, which is held in memory until then: with that a capture is full, and a ring goes
/// on with its next file.
pub const CAPTURE_INDEX_BYTES_MAX: u64 = 16 << 20;
/// How long the thread of a capture rests once it has written what there was, so that traffic need not wake it for each message.
pub const CAPTURE_PAUSE_MS: u64 = 5;
/// Captures at the same time, beside the ring.
pub const CAPTURES_MAX: usize = 4;
/// Captures that have ended and are still listed.
pub const CAPTURES_LISTED_MAX: usize = 16;
/// How long what was captured may wait for its chunk to be written: a host that is killed loses no more than that.
pub const CAPTURE_FLUSH_MS: u64 = 500;
/// The longest that a capture may be asked to last.
pub const CAPTURE_FOR_MS_MAX: u64 = 604_800_000;
/// The least that the file of a capture may be asked to hold.
pub const CAPTURE_BYTES_MIN: u64 = 64 << 10;
/// Files that the ring's time and bytes are shared out to, and one that is being written.
pub const CAPTURE_RING_FILES: usize = 4;
/// How soon the ring is begun anew after its file could not be written.
pub const CAPTURE_RING_RETRY_MS: u64 = 10_000;
/// Keys of metadata whose values are kept out of a capture.
pub const CAPTURE_REDACTED_KEYS_MAX: usize = 64;
/// What the admin surface takes to begin a capture.
pub const ADMIN_CAPTURE_BYTES_MAX: usize = 64 << 10;
/// How long who stops a capture waits for the end of its file.
pub const CAPTURE_STOP_MS_MAX: u64 = 10_000;
