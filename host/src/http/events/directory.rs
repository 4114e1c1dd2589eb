//! The directory: the streams by the topics that they take, as ZeroMQ compares them: by how they begin.

mod prefix_tree;

use super::event::Event;
use super::queue::Queue;
use crate::flow::{Client, PeerStatus};
use bytes::Bytes;
use prefix_tree::PrefixTree;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The queue of a stream, which the dispatcher fills and the stream empties.
pub(super) type SharedQueue = Arc<Mutex<Queue>>;

/// A stream as a taker of an event: how long its topic is, and its number. So they are in order, whoever comes and goes.
pub(super) type Place = (usize, u64);

/// All streams that there are.
#[derive(Default)]
pub(super) struct Directory {
    streams: BTreeMap<u64, Listed>,
    by_topic: PrefixTree<BTreeMap<u64, SharedQueue>>,
    /// The number of the next stream.
    next: u64,
}

/// One stream, as it is listed.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) queue: SharedQueue,
    client: Client,
    /// How many topics it has.
    topics: u64,
}

impl Listed {
    /// As the operator sees it, with so many events and bytes in its queue.
    pub(super) fn status(&self, (queue_messages, queue_bytes): (u64, u64)) -> PeerStatus {
        PeerStatus { subscriptions: self.topics, queue_messages, queue_bytes, ..self.client.status() }
    }
}

impl Directory {
    /// Adds a stream without topics. Returns its number.
    pub(super) fn add(&mut self, queue: SharedQueue, client: Client) -> u64 {
        self.next += 1;
        self.streams.insert(self.next, Listed { queue, client, topics: 0 });
        self.next
    }

    pub(super) fn remove<'a>(&mut self, stream: u64, topics: impl IntoIterator<Item = &'a Bytes>) {
        topics.into_iter().for_each(|topic| self.remove_topic(stream, topic));
        self.streams.remove(&stream);
    }

    pub(super) fn add_topic(&mut self, stream: u64, topic: &Bytes) {
        let Some(listed) = self.streams.get_mut(&stream) else { return };
        if self.by_topic.get_or_insert(topic).insert(stream, Arc::clone(&listed.queue)).is_none() {
            listed.topics += 1;
        }
    }

    pub(super) fn remove_topic(&mut self, stream: u64, topic: &Bytes) {
        let Some(streams) = self.by_topic.get_mut(topic) else { return };
        if streams.remove(&stream).is_some()
            && let Some(listed) = self.streams.get_mut(&stream)
        {
            listed.topics -= 1;
        }
        if streams.is_empty() {
            self.by_topic.remove(topic);
        }
    }

    /// The streams that take an event, from a place on. One comes several times if it has several topics that fit.
    pub(super) fn takers<'a>(
        &'a self,
        event: &'a Event,
        from: Place,
    ) -> impl Iterator<Item = (Place, &'a SharedQueue)> {
        let topics = self.by_topic.beginnings(event.first_frame()).filter(move |(length, _)| *length >= from.0);
        topics.flat_map(move |(length, streams)| {
            let first = if length == from.0 { from.1 } else { 0 };
            streams.range(first..).map(move |(&stream, queue)| ((length, stream), queue))
        })
    }

    /// All streams from a number on, each with whether it takes everything.
    pub(super) fn streams(&self, from: u64) -> impl Iterator<Item = (u64, &SharedQueue, bool)> {
        let of_all = self.by_topic.beginnings(&[]).next().map(|(_, streams)| streams);
        let takes_all = move |stream| of_all.is_some_and(|all| all.contains_key(stream));
        self.streams.range(from..).map(move |(stream, listed)| (*stream, &listed.queue, takes_all(stream)))
    }

    /// All of them by their numbers, to be looked at without the directory.
    pub(super) fn listed(&self) -> Vec<(u64, Listed)> {
        self.streams.iter().map(|(&stream, listed)| (stream, listed.clone())).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }
}
