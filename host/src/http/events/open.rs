//! A new stream of events: whether there is room for it, and where it begins.

use super::event::Resume;
use super::hub::Hub;
use super::queue::{Queue, QueueSettings};
use super::stream::{EventStream, TopicError};
use crate::config::Events;
use crate::flow::Client;
use bytes::Bytes;
use std::sync::{Arc, Mutex};

/// Why a stream was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There are as many as may be.
    #[error("as many streams of events as may be are open: streams_max {0}")]
    TooManyStreams(usize),
    /// What it is to take cannot be taken.
    #[error(transparent)]
    Topic(#[from] TopicError),
}

impl Hub {
    /// Opens a stream for a client, of the events whose first frame begins with one of the `topics`.
    ///
    /// # Errors
    /// When there are as many streams as may be, or a topic is none or one too many.
    pub fn open(
        self: &Arc<Self>,
        client: Client,
        topics: Vec<Bytes>,
        resume: Resume,
    ) -> Result<EventStream, OpenError> {
        let Events { streams_max, stream_messages_max, stream_bytes_max, on_slow, .. } = *self.settings();
        let settings = QueueSettings { messages_max: stream_messages_max, bytes_max: stream_bytes_max, on_slow };
        let queue = Arc::new(Mutex::new(Queue::new(settings)));
        let start = self.enlist(client, &queue, resume).ok_or(OpenError::TooManyStreams(streams_max))?;
        let mut stream = EventStream::new(Arc::clone(self), queue, start);
        for topic in topics {
            stream.subscribe(topic)?;
        }
        stream.begin();
        self.count_opened();
        Ok(stream)
    }
}
