//! How a flow or a route names a place in JetStream: `jetstream:STREAM/CONSUMER` to read, `jetstream:SUBJECT` to write.

use super::stream::JetStreamConsumer;
use super::subject::SubjectTemplate;
use crate::config::Config;
use std::collections::BTreeSet;

/// What the name of a place in JetStream begins with.
pub const JETSTREAM: &str = "jetstream:";

/// Whether a flow or a route means a place in JetStream by this name, and not a socket.
pub fn is_jetstream(name: &str) -> bool {
    name.starts_with(JETSTREAM)
}

/// Where messages are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JetStreamSource {
    /// The stream.
    pub stream: String,
    /// The durable consumer, which hosts may share.
    pub consumer: String,
}

impl JetStreamSource {
    /// What `jetstream:STREAM/CONSUMER` means; none if it is not that.
    pub fn of(name: &str) -> Option<Self> {
        let (stream, consumer) = name.strip_prefix(JETSTREAM)?.split_once('/')?;
        let is_name = |name: &str| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !name.is_empty() && name.bytes().all(is_letter)
        };
        (is_name(stream) && is_name(consumer))
            .then(|| Self { stream: stream.to_owned(), consumer: consumer.to_owned() })
    }
}

impl Config {
    /// The subject that `jetstream:SUBJECT` means; none if it is not that.
    pub fn jetstream_subject(name: &str) -> Option<SubjectTemplate> {
        name.strip_prefix(JETSTREAM)?.parse().ok()
    }

    /// What is said of the consumer by which a flow reads.
    pub fn jetstream_consumer(&self, source: &JetStreamSource) -> JetStreamConsumer {
        let stream = self.streams.get(&source.stream);
        stream.and_then(|stream| stream.consumers.get(&source.consumer)).cloned().unwrap_or_default()
    }

    /// The places in JetStream that flows and routes name, each once.
    pub fn jetstream_places(&self) -> BTreeSet<&String> {
        let flows = self.flows.values().flat_map(|flow| flow.from.iter().chain(&flow.to));
        let all = flows.chain(self.routes.values().filter_map(|route| route.to.as_ref()).flatten());
        all.filter(|name| is_jetstream(name)).collect()
    }
}
