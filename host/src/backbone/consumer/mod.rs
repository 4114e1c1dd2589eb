//! A consumer of JetStream: flows read what it is delivered, and it acknowledges what they are done with.

mod acknowledging;
mod cuts;
mod delivery;
mod held;
mod opening;
mod pulling;
mod reading;
mod surface;
mod verdict;

pub use surface::Consumer;

use crate::config::{JetStreamConsumer, JetStreamSource};
use crate::flow::Lost;
use std::sync::Arc;

/// What a consumer is made with.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// Its name: `jetstream:STREAM/CONSUMER`.
    pub name: String,
    /// The stream, and the durable consumer of it.
    pub source: JetStreamSource,
    /// Its bounds and pauses.
    pub config: JetStreamConsumer,
    /// Whether a consumer that is there and is another is changed.
    pub manage: bool,
    /// How many servers of a cluster keep its dead letters.
    pub replicas: usize,
    /// Bytes of all its dead letters, of which the oldest go first.
    pub letters_bytes_max: i64,
}

/// Writes a message that a flow failed at as the line of a dead letter.
pub type LetterLine = Arc<dyn Fn(Lost) -> Vec<u8> + Send + Sync>;
