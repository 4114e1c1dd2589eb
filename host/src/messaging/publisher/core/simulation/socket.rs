//! The socket of a simulated publisher, as far as it matters to the core, and its subscribers.

use super::super::Outcome;
use crate::config::{SUBSCRIPTION_CHANGES_BURST_BYTES, SUBSCRIPTION_CHANGES_BYTES_AT_ONCE};
use crate::flow::simulation::Random;
use crate::messaging::socket::monitor::Descriptor;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use zmq_sys::beyond::{TOPIC_OVERHEAD_BYTES, Told};

/// Topics that messages have and peers subscribe to; some are prefixes of others.
pub(super) const TOPICS: [&str; 6] = ["", "a", "ab", "abc", "b", "bc"];

/// A subscription, or the end of one.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) subscribes: bool,
    pub(super) topic: Vec<u8>,
}

/// A change that was received: from which peer, and what libzmq reports of that peer.
pub(super) struct ReceivedChange {
    pub(super) peer: Descriptor,
    pub(super) change: Change,
    pub(super) told: Told,
}

#[derive(Default)]
pub(super) struct SimulatedPeer {
    pub(super) connection: u64,
    /// Messages that it reads in a millisecond.
    reads_per_ms: u32,
    unread_time: Duration,
    capacity: usize,
    queue: usize,
    topics: BTreeSet<Vec<u8>>,
    /// The changes that it has sent and that are not received.
    pub(super) changes: VecDeque<Change>,
    /// How many bytes of changes may be received before the next renewal.
    window: u64,
    /// The latest message that it got of each topic.
    latest: BTreeMap<String, u64>,
    /// Whether it had no room when depths were last asked for, and whether it did not read then.
    is_full: bool,
    does_not_read: bool,
    can_be_cut_off: bool,
    pub(super) is_ending: bool,
    pub(super) has_spoken: bool,
    /// It changes more than a peer may.
    pub(super) floods: bool,
    /// The number of its subscriptions, as the core should know it.
    pub(super) counted: u64,
    pub(super) handed: BTreeSet<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct SimulatedSocket {
    pub(super) peers: BTreeMap<Descriptor, SimulatedPeer>,
    connections: u64,
    depths_asked: bool,
    /// Changes that peers sent before they went.
    late: VecDeque<ReceivedChange>,
}

impl SimulatedPeer {
    /// From now on it reads so many messages in a millisecond; one that reads fast has read all by now.
    pub(super) fn read(&mut self, per_ms: u32) {
        self.reads_per_ms = per_ms;
        if per_ms >= 5 {
            self.queue = 0;
        }
    }

    fn change_to_and_fro(&mut self, times: u64, topic: &[u8]) {
        self.changes.extend((0..times).map(|number| Change { subscribes: number % 2 == 0, topic: topic.to_vec() }));
    }

    fn told(&self) -> Told {
        let bytes = self.topics.iter().map(|topic| TOPIC_OVERHEAD_BYTES + topic.len() as u64).sum();
        Told { connection: self.connection, topics: self.topics.len() as u64, bytes, bytes_in_all: bytes }
    }

    fn wants(&self, first_frame: &[u8]) -> bool {
        self.topics.iter().any(|topic| first_frame.starts_with(topic))
    }

    fn next_change(&mut self) -> Option<Change> {
        let bytes = TOPIC_OVERHEAD_BYTES + self.changes.front()?.topic.len() as u64;
        if self.window == 0 {
            return None;
        }
        self.window = self.window.saturating_sub(bytes);
        let change = self.changes.pop_front()?;
        match change.subscribes {
            true => self.topics.insert(change.topic.clone()),
            false => self.topics.remove(&change.topic),
        };
        Some(change)
    }
}

impl SimulatedSocket {
    /// Random actions of the peers.
    pub(super) fn act_randomly(&mut self, random: &mut Random) {
        if random.one_in(40) && self.peers.len() < 6 {
            self.connect(random);
        }
        let peers: Vec<_> = self.peers.keys().copied().collect();
        if peers.is_empty() || !random.one_in(10) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&random.one_of(&peers)) else { return };
        match random.below(20) {
            0 => peer.is_ending = true,
            1 | 2 => peer.read(random.one_of(&[0, 1, 5, 100])),
            // More than a peer may change, however slowly it is received.
            3 if random.one_in(20) => {
                peer.floods = true;
                peer.change_to_and_fro(SUBSCRIPTION_CHANGES_BURST_BYTES / 500, &[b'z'; 1_000]);
            }
            4 => peer.change_to_and_fro(random.below(400), b"y"),
            _ => {
                let topic = random.one_of(&TOPICS).as_bytes().to_vec();
                peer.changes.push_back(Change { subscribes: !random.one_in(4), topic });
            }
        }
    }

    /// A peer connects, with the lowest free descriptor, as the system gives it.
    fn connect(&mut self, random: &mut Random) {
        let free = (10..).find(|descriptor| !self.peers.contains_key(descriptor)).expect("a descriptor");
        self.connections += 1;
        let peer = SimulatedPeer {
            connection: self.connections,
            reads_per_ms: random.one_of(&[0, 1, 5, 100]),
            capacity: random.one_of(&[1, 10, 1_000]),
            window: SUBSCRIPTION_CHANGES_BYTES_AT_ONCE,
            can_be_cut_off: !random.one_in(8),
            ..SimulatedPeer::default()
        };
        self.peers.insert(free, peer);
    }

    /// Sends a message, which no subscriber gets if one has no room for it.
    pub(super) fn send(&mut self, topic: &str, number: u64, first_frame: &[u8]) -> Outcome {
        let mut wanting: Vec<_> = self.peers.values_mut().filter(|peer| peer.wants(first_frame)).collect();
        if wanting.is_empty() {
            return Outcome::NoSubscriber;
        }
        if wanting.iter().any(|peer| peer.queue >= peer.capacity) {
            return Outcome::Full;
        }
        for peer in &mut wanting {
            let before = peer.latest.insert(topic.to_owned(), number);
            assert!(before < Some(number), "a subscriber got {number} of {topic:?} after {before:?}");
            peer.queue += 1;
        }
        Outcome::Out
    }

    /// Time goes by, and subscribers read.
    pub(super) fn pass(&mut self, time: Duration) {
        for peer in self.peers.values_mut() {
            peer.unread_time += time;
            let read = peer.unread_time.as_micros() * u128::from(peer.reads_per_ms) / 1_000;
            if read > 0 {
                peer.queue = peer.queue.saturating_sub(usize::try_from(read).unwrap_or(usize::MAX));
                peer.unread_time = Duration::ZERO;
            }
        }
    }

    /// Processes what libzmq has done by now. Returns the peers that have gone.
    pub(super) fn receive_events(&mut self, keeps_late: bool) -> Vec<Descriptor> {
        if std::mem::take(&mut self.depths_asked) {
            for peer in self.peers.values_mut() {
                (peer.is_full, peer.does_not_read) = (peer.queue >= peer.capacity, peer.reads_per_ms < 5);
            }
        }
        let gone: Vec<_> = self.peers.iter().filter(|(_, peer)| peer.is_ending).map(|(peer, _)| *peer).collect();
        for descriptor in &gone {
            let Some(mut peer) = self.peers.remove(descriptor) else { continue };
            // The first change of a peer that has gone could not be told from one of the next peer with its descriptor.
            if keeps_late
                && peer.has_spoken
                && let Some(change) = peer.next_change()
            {
                self.late.push_back(ReceivedChange { peer: *descriptor, change, told: peer.told() });
            }
        }
        gone
    }

    pub(super) fn ask_depths(&mut self) {
        self.depths_asked = true;
    }

    /// Ends the connections of the peers that were reported as full; false if there was none to end.
    pub(super) fn cut_off(&mut self) -> bool {
        let mut full: Vec<_> = self.peers.values_mut().filter(|peer| peer.is_full && peer.can_be_cut_off).collect();
        for peer in &mut full {
            assert!(peer.does_not_read, "somebody who reads was cut off for being full");
            peer.is_ending = true;
        }
        !full.is_empty()
    }

    pub(super) fn receive(&mut self, random: &mut Random) -> Option<ReceivedChange> {
        if let Some(late) = self.late.pop_front() {
            return Some(late);
        }
        let in_all = self.peers.values().map(|peer| peer.told().bytes).sum();
        let mut able: Vec<_> = self.peers.iter_mut().filter(|(_, peer)| can_change(peer)).collect();
        if able.is_empty() {
            return None;
        }
        let (descriptor, peer) = able.swap_remove(random.below(able.len() as u64) as usize);
        let change = peer.next_change()?;
        Some(ReceivedChange { peer: *descriptor, change, told: Told { bytes_in_all: in_all, ..peer.told() } })
    }

    /// Whether a poll of the socket or its monitor would end.
    pub(super) fn is_readable(&self) -> bool {
        !self.late.is_empty() || self.peers.values().any(|peer| peer.is_ending || can_change(peer))
    }

    pub(super) fn take_more(&mut self) {
        self.peers.values_mut().for_each(|peer| peer.window = SUBSCRIPTION_CHANGES_BYTES_AT_ONCE);
    }
}

fn can_change(peer: &SimulatedPeer) -> bool {
    peer.window > 0 && !peer.changes.is_empty()
}
