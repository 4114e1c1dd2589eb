//! The subscriptions at a publisher: how many each peer has, and which peers exceed the bounds on having or changing
//! them.

use crate::config::{
    SUBSCRIPTION_BYTES_MAX, SUBSCRIPTION_CHANGES_BURST, SUBSCRIPTION_CHANGES_BURST_BYTES,
    SUBSCRIPTION_CHANGES_BYTES_PER_SECOND, SUBSCRIPTIONS_BYTES_MAX, SUBSCRIPTIONS_BYTES_PER_PEER_MAX,
    SUBSCRIPTIONS_PER_PEER_MAX,
};
use crate::messaging::socket::monitor::Descriptor;
use std::collections::HashMap;
use std::time::Instant;
use zmq_sys::beyond::{TOPIC_OVERHEAD_BYTES, Told};

/// A peer that is to be cut off, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) peer: Descriptor,
    /// The number that libzmq gave its connection.
    pub(crate) connection: u64,
    pub(crate) why: &'static str,
}

/// What libzmq has reported of the peers that have subscribed to something.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    subscribers: HashMap<Descriptor, Subscriber>,
    total: u64,
}

#[derive(Debug)]
struct Subscriber {
    /// The number that libzmq gave its connection. Unlike the descriptor it is not used again.
    connection: u64,
    topics: u64,
    /// The bytes of its topics, as libzmq counts them.
    bytes: u64,
    /// By how many bytes its changes exceed the rate that a peer may keep up.
    burst_bytes: u64,
    burst_since: Instant,
    /// Whether it is connected and not to be cut off.
    here: bool,
}

impl Subscriptions {
    /// Takes in that a peer has changed a subscription, by a message of so many bytes. Returns the peer that is to be
    /// cut off for it, if any: the one that sent it, or, if there are too many subscriptions in all, the one that has
    /// most.
    pub(super) fn take_in(&mut self, from: Descriptor, told: Told, bytes: usize, now: Instant) -> Option<Excess> {
        let subscriber = self.subscribers.entry(from).or_insert_with(|| Subscriber::new(told.connection, now));
        if subscriber.connection < told.connection {
            // A new connection with the same descriptor: the one before it has ended, which was not reported yet.
            self.total -= subscriber.topics;
            *subscriber = Subscriber::new(told.connection, now);
        }
        // A late message of the connection before this one must not count for this one.
        if subscriber.connection != told.connection || !subscriber.here {
            return None;
        }
        self.total = self.total - subscriber.topics + told.topics;
        (subscriber.topics, subscriber.bytes) = (told.topics, told.bytes);
        subscriber.count_change(bytes as u64, now);
        let why = if bytes > 1 + SUBSCRIPTION_BYTES_MAX {
            Some("its topic is longer than one may be")
        } else {
            subscriber.excess()
        };
        let (peer, why) = match why {
            Some(why) => (from, why),
            None if told.bytes_in_all > SUBSCRIPTIONS_BYTES_MAX => {
                let here = self.subscribers.iter().filter(|(_, subscriber)| subscriber.here);
                let (most, _) = here.max_by_key(|(_, subscriber)| subscriber.bytes)?;
                (*most, "there are more subscriptions than a publisher may have, and it has most of them")
            }
            None => return None,
        };
        let subscriber = self.subscribers.get_mut(&peer)?;
        subscriber.here = false;
        self.total -= std::mem::take(&mut subscriber.topics);
        Some(Excess { peer, connection: subscriber.connection, why })
    }

    /// The peer's connection has ended. It is remembered until the next one with the same descriptor comes.
    pub(super) fn gone(&mut self, peer: Descriptor) {
        let Some(subscriber) = self.subscribers.get_mut(&peer) else { return };
        self.total -= std::mem::take(&mut subscriber.topics);
        subscriber.here = false;
    }

    /// The number of all subscriptions.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

impl Subscriber {
    fn new(connection: u64, now: Instant) -> Self {
        Self { connection, topics: 0, bytes: 0, burst_bytes: 0, burst_since: now, here: true }
    }

    fn count_change(&mut self, bytes: u64, now: Instant) {
        let elapsed_ms = u64::try_from(now.duration_since(self.burst_since).as_millis()).unwrap_or(u64::MAX);
        let forgiven = elapsed_ms.saturating_mul(SUBSCRIPTION_CHANGES_BYTES_PER_SECOND) / 1000;
        if forgiven > 0 {
            self.burst_since = now;
        }
        // Each change counts as at least so many bytes, so that the number of changes is bounded too.
        let least = SUBSCRIPTION_CHANGES_BURST_BYTES / SUBSCRIPTION_CHANGES_BURST;
        self.burst_bytes = self.burst_bytes.saturating_sub(forgiven) + (TOPIC_OVERHEAD_BYTES + bytes).max(least);
    }

    fn excess(&self) -> Option<&'static str> {
        if self.topics > SUBSCRIPTIONS_PER_PEER_MAX {
            Some("it has more subscriptions than a peer may have")
        } else if self.bytes > SUBSCRIPTIONS_BYTES_PER_PEER_MAX {
            Some("its subscriptions have more bytes than those of a peer may have")
        } else if self.burst_bytes > SUBSCRIPTION_CHANGES_BURST_BYTES {
            Some("it changes its subscriptions faster than a peer may")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn told(connection: u64, topics: u64, bytes: u64) -> Told {
        Told { connection, topics, bytes, bytes_in_all: bytes }
    }

    #[test]
    fn a_peer_is_within_its_bounds_up_to_the_last_of_them() {
        let now = Instant::now();
        let why = |told, bytes| Subscriptions::default().take_in(7, told, bytes, now);
        assert_eq!(why(told(1, SUBSCRIPTIONS_PER_PEER_MAX, SUBSCRIPTIONS_BYTES_PER_PEER_MAX), 2), None);
        assert!(why(told(1, SUBSCRIPTIONS_PER_PEER_MAX + 1, 1), 2).is_some());
        assert!(why(told(1, 1, SUBSCRIPTIONS_BYTES_PER_PEER_MAX + 1), 2).is_some());
        assert_eq!(why(told(1, 1, 1), 1 + SUBSCRIPTION_BYTES_MAX), None);
        assert!(why(told(1, 1, 1), 2 + SUBSCRIPTION_BYTES_MAX).is_some());
    }

    #[test]
    fn who_changes_too_much_goes_and_who_does_it_slowly_stays() {
        let start = Instant::now();
        let mut subscriptions = Subscriptions::default();
        let change = 1024 - TOPIC_OVERHEAD_BYTES as usize;
        let changes = SUBSCRIPTION_CHANGES_BURST_BYTES / 1024;
        // As often as there are topics for a peer, twice over, at once.
        for _ in 0..changes {
            assert_eq!(subscriptions.take_in(7, told(1, 1, 1), change, start), None);
        }
        // After that as fast as is forgiven.
        let second = SUBSCRIPTION_CHANGES_BYTES_PER_SECOND / 1024;
        for number in 1..=4 * second {
            let now = start + Duration::from_secs(1) * u32::try_from(number.div_ceil(second)).expect("few seconds");
            assert_eq!(subscriptions.take_in(7, told(1, 1, 1), change, now), None);
        }
        let now = start + Duration::from_secs(4);
        let why = "it changes its subscriptions faster than a peer may";
        let excess = Excess { peer: 7, connection: 1, why };
        assert_eq!(subscriptions.take_in(7, told(1, 1, 1), change, now), Some(excess));
        // Changes that were on their way are reported no more: the excess is reported once.
        assert_eq!(subscriptions.take_in(7, told(1, 1, 1), change, now), None);
        // The next one by that descriptor has its own.
        subscriptions.gone(7);
        assert_eq!(subscriptions.take_in(7, told(1, 9, 9), change, now), None);
        assert_eq!(subscriptions.total(), 0);
        assert_eq!(subscriptions.take_in(7, told(2, 1, 1), change, now), None);
        assert_eq!(subscriptions.total(), 1);
    }

    #[test]
    fn whoever_has_most_goes_when_there_is_too_much_in_all() {
        let now = Instant::now();
        let mut subscriptions = Subscriptions::default();
        let share = SUBSCRIPTIONS_BYTES_MAX / 10;
        let in_all = |connection, bytes, bytes_in_all| Told { connection, topics: 1, bytes, bytes_in_all };
        assert!(share <= SUBSCRIPTIONS_BYTES_PER_PEER_MAX);
        for peer in 1..10 {
            assert_eq!(subscriptions.take_in(peer, in_all(peer as u64, share, share * peer as u64), 2, now), None);
        }
        assert_eq!(subscriptions.take_in(5, in_all(5, share + 1, share * 9 + 1), 2, now), None);
        let mut newcomer = |bytes_in_all| subscriptions.take_in(10, in_all(10, share, bytes_in_all), 2, now);
        assert_eq!(newcomer(SUBSCRIPTIONS_BYTES_MAX), None);
        assert_eq!(newcomer(SUBSCRIPTIONS_BYTES_MAX + 1).map(|excess| excess.peer), Some(5));
        assert!(newcomer(SUBSCRIPTIONS_BYTES_MAX + 1).is_some_and(|excess| excess.peer != 5));
        assert_eq!(subscriptions.total(), 8);
    }
}
