//! The messages that browsers and other HTTP clients follow as events.

use crate::config::limits::{milliseconds, number};
use serde::{Deserialize, Serialize};

/// What the sink of `[events]` is called.
pub const EVENTS: &str = "events";

/// `[events]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// Whether there is the sink `events`, which the public HTTP surface serves at `/events`.
    pub enabled: bool,
    /// Whether all that goes to `publish` goes to `events` too.
    pub publish: bool,
    /// The newest messages, which are kept for those that come back after a break.
    #[serde(deserialize_with = "number::<_, _, 1, 10_000_000>")]
    pub ring_messages_max: usize,
    /// Their bytes, with 256 for each, and 32 for each frame. A larger message is `too-large`. What is sent of a message is kept
    /// with it, so the memory that they take may be three times as much.
    #[serde(deserialize_with = "number::<_, _, 65_536, 1_099_511_627_776>")]
    pub ring_bytes_max: usize,
    /// Streams of events at the same time; more are answered 503.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub streams_max: usize,
    /// Messages that wait for one stream whose client is slow.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub stream_messages_max: usize,
    /// Their bytes, as in `ring_bytes_max`; one alone may have more.
    #[serde(deserialize_with = "number::<_, _, 1, 1_099_511_627_776>")]
    pub stream_bytes_max: usize,
    /// Topics of one stream.
    #[serde(deserialize_with = "number::<_, _, 1, 10_000>")]
    pub topics_max: usize,
    /// What becomes of a stream for which more messages would wait than may.
    pub on_slow: OnSlow,
    /// How long a stream is silent at most.
    #[serde(deserialize_with = "milliseconds::<_, _, 10, 3_600_000>")]
    pub heartbeat_ms: u64,
    /// How long a client waits at least before it comes back after a break; each is told up to twice that, by chance.
    #[serde(deserialize_with = "milliseconds::<_, _, 0, 3_600_000>")]
    pub retry_ms: u64,
    /// The origins whose pages may follow events in a browser, beside those of the host itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            enabled: false,
            publish: true,
            ring_messages_max: 10_000,
            ring_bytes_max: 64 << 20,
            streams_max: 10_000,
            stream_messages_max: 1_000,
            stream_bytes_max: 4 << 20,
            topics_max: 100,
            on_slow: OnSlow::default(),
            heartbeat_ms: 15_000,
            retry_ms: 2_000,
            origins: Vec::new(),
        }
    }
}

/// What becomes of a stream of events whose client does not keep up. Whichever it is, the client is told how many messages it
/// missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSlow {
    /// It ends, and the client comes back for what is kept.
    #[default]
    CutOff,
    /// Of each topic only the newest message waits.
    Conflate,
    /// The oldest messages go.
    DropOldest,
}

impl Events {
    /// Whether what goes to `publish` comes here.
    pub fn takes_published(&self) -> bool {
        self.enabled && self.publish
    }
}
