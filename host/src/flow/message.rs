//! A message, whichever surface it comes in and goes out by.

use crate::buckets::CallBuckets;
use crate::config::MESSAGE_ID_KEY;
use crate::traces::TraceContext;
use bytes::Bytes;
use smallvec::{SmallVec, smallvec};

/// How the keys of pairs begin that only the host sets.
const OF_HOST: &str = "tidegate.";

/// The key of the pair that says which status HTTP answers.
pub const HTTP_STATUS: &str = "http.status";

/// Pairs of key and value, in order; a key may occur more than once.
pub type Metadata = Vec<(String, String)>;

/// The frames of a message. Most have two, a topic and a body, for which the list needs no allocation.
pub type Frames = SmallVec<[Bytes; 2]>;

/// Frames with their metadata. The first of several frames is the address: the topic of a published message, the
/// identity of the client that sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The metadata that the contract lists.
    pub metadata: Metadata,
    /// Each is any bytes, and may be empty.
    pub frames: Frames,
    /// Below what the spans of its way begin.
    pub trace: TraceContext,
    /// How the next call that is made for it is to meet buckets.
    pub buckets: CallBuckets,
}

impl Message {
    /// One body under a topic: two frames, or one if the topic is empty.
    pub fn of_topic(topic: impl Into<Bytes>, metadata: Metadata, body: impl Into<Bytes>) -> Self {
        let (topic, body) = (topic.into(), body.into());
        let frames = if topic.is_empty() { smallvec![body] } else { smallvec![topic, body] };
        Self { metadata, frames, ..Self::default() }
    }

    /// Its topic, empty where it has none, and its body; none if it has another number of frames.
    pub fn into_topic_and_body(self) -> Option<(Bytes, Bytes)> {
        let mut frames = self.frames.into_iter();
        match (frames.next(), frames.next(), frames.next()) {
            (Some(body), None, None) => Some((Bytes::new(), body)),
            (Some(topic), Some(body), None) => Some((topic, body)),
            _ => None,
        }
    }

    /// Has it say of the host's own what another message said, instead of what it says: a plugin that returns it must not
    /// speak for the host to the next one.
    pub fn keep_host_pairs(&mut self, pairs: &[(String, String)]) {
        self.metadata.retain(|(key, _)| !key.starts_with(OF_HOST));
        self.metadata.splice(0..0, pairs.iter().cloned());
    }

    /// What its metadata has of the host's own.
    pub fn host_pairs(&self) -> Metadata {
        self.metadata.iter().filter(|(key, _)| key.starts_with(OF_HOST)).cloned().collect()
    }

    /// Says by which name it is known where it is stored: that of what it is made of, and where it is not the first of that,
    /// its number.
    pub(crate) fn set_stored_name(&mut self, name: &str, index: usize) {
        let name = if index == 0 { name.to_owned() } else { format!("{name}#{index}") };
        self.metadata.retain(|(key, _)| key != MESSAGE_ID_KEY);
        self.metadata.push((MESSAGE_ID_KEY.to_owned(), name));
    }

    /// The bytes of its frames.
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(Bytes::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_does_not_speak_for_the_host() {
        let pairs = |keys: &[&str]| keys.iter().map(|&key| (key.to_owned(), "1".to_owned())).collect::<Vec<_>>();
        let before = Message::of_topic("", pairs(&["tidegate.peer", "query.a"]), "");
        let mut after = Message::of_topic("", pairs(&["tidegate.curve-key", "own", "tidegate.peer"]), "");
        after.metadata[2].1 = "2".to_owned();
        after.keep_host_pairs(&before.host_pairs());
        assert_eq!(after.metadata, pairs(&["tidegate.peer", "own"]));
    }

    #[test]
    fn a_topic_is_the_first_of_two_frames() {
        for (topic, frames) in [("", 1), ("t", 2)] {
            let message = Message::of_topic(topic, Vec::new(), "body");
            assert_eq!((message.frames.len(), message.bytes()), (frames, topic.len() + 4));
            assert_eq!(message.into_topic_and_body(), Some((topic.into(), "body".into())));
        }
        let frames = |count| Message { frames: smallvec![Bytes::new(); count], ..Message::default() };
        assert_eq!(frames(2).into_topic_and_body(), Some((Bytes::new(), Bytes::new())));
        assert_eq!((frames(0).into_topic_and_body(), frames(3).into_topic_and_body()), (None, None));
    }
}
