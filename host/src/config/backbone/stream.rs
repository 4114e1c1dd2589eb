//! A stream of JetStream, and those who read it.

use crate::config::limits::{milliseconds, number};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[streams.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JetStreamStream {
    /// The subjects of what it keeps: `orders.>`.
    pub subjects: Vec<String>,
    /// How many servers of a cluster keep it.
    #[serde(default = "replicas", deserialize_with = "number::<_, _, 1, 5>")]
    pub replicas: usize,
    /// Where they do.
    #[serde(default)]
    pub storage: Storage,
    /// How long it keeps a message; 0 for as long as there is room.
    #[serde(default = "max_age_ms", deserialize_with = "milliseconds::<_, _, 0, 31_536_000_000>")]
    pub max_age_ms: u64,
    /// How many bytes it keeps, of which the oldest go first.
    #[serde(default = "max_bytes", deserialize_with = "number::<_, _, 1, 1_125_899_906_842_624>")]
    pub max_bytes: i64,
    /// For so long a message that comes again is known by its id.
    #[serde(default = "duplicate_window_ms", deserialize_with = "milliseconds::<_, _, 100, 86_400_000>")]
    pub duplicate_window_ms: u64,
    /// Whether a stream, or a consumer, that is there already and is another is changed; without it the host only says so.
    #[serde(default)]
    pub manage: bool,
    /// What is said of the consumers by which flows read it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consumers: BTreeMap<String, JetStreamConsumer>,
}

/// `[streams.NAME.consumers.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct JetStreamConsumer {
    /// The subjects that it reads of those of the stream; all if it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// For so long a message may be with a host that says nothing of it; then another one gets it.
    #[serde(deserialize_with = "milliseconds::<_, _, 1_000, 3_600_000>")]
    pub ack_wait_ms: u64,
    /// Messages that all hosts together have and have not acknowledged.
    #[serde(deserialize_with = "number::<_, _, 1, 100_000>")]
    pub max_ack_pending: usize,
    /// How often a message is delivered before it becomes a dead letter.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000>")]
    pub deliveries_max: u32,
    /// How long the first pause is before a message comes again that a plugin failed at; each further one is twice as long.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub retry_ms: u64,
    /// The longest pause.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 86_400_000>")]
    pub retry_ms_max: u64,
    /// The stream of its dead letters, which is made if it is not there; without it `NAME-dead-letters`, after the stream that
    /// it reads.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dead_letters: String,
}

/// Where JetStream keeps a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// In files.
    #[default]
    File,
    /// In memory.
    Memory,
}

impl Default for JetStreamConsumer {
    fn default() -> Self {
        Self {
            filter: String::new(),
            ack_wait_ms: 30_000,
            max_ack_pending: 1_000,
            deliveries_max: 5,
            retry_ms: 1_000,
            retry_ms_max: 60_000,
            dead_letters: String::new(),
        }
    }
}

impl JetStreamConsumer {
    /// The stream of its dead letters, where it reads this stream.
    pub fn dead_letters_of(&self, stream: &str) -> String {
        if self.dead_letters.is_empty() { format!("{stream}-dead-letters") } else { self.dead_letters.clone() }
    }
}

fn replicas() -> usize {
    1
}

fn max_age_ms() -> u64 {
    86_400_000
}

fn max_bytes() -> i64 {
    1 << 30
}

fn duplicate_window_ms() -> u64 {
    120_000
}
