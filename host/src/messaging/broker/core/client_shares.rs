//! The share of each client in the schedule: how many replies wait for it, and whether more may.
//!
//! A client is an identity, which means one connection; all clients behind a proxy count as the proxy.

use std::collections::{HashMap, HashSet};

/// A client may have at most a third of what is left free: a quarter of the schedule if no other client has any, and
/// less if others came before. So neither one client nor ten can fill it.
const PARTS: usize = 3;

/// Replies and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) replies: usize,
    pub(super) bytes: usize,
}

/// How much of the schedule each client has.
pub(super) struct ClientShares {
    max: Share,
    all: Share,
    clients: HashMap<Vec<u8>, Share>,
}

impl Share {
    pub(super) fn plus(self, other: Self) -> Self {
        Self { replies: self.replies + other.replies, bytes: self.bytes.saturating_add(other.bytes) }
    }
}

impl ClientShares {
    /// For a schedule that holds at most `max`.
    pub(super) fn new(max: Share) -> Self {
        Self { max, all: Share::default(), clients: HashMap::new() }
    }

    /// Whether so much more may wait for a client. It always may for a client without any: the schedule as a whole has
    /// its own bound.
    pub(super) fn admits(&self, identity: &[u8], more: Share) -> bool {
        let Some(share) = self.clients.get(identity) else { return true };
        let share = share.plus(more);
        share.replies <= self.max.replies.saturating_sub(self.all.replies) / PARTS
            && share.bytes <= self.max.bytes.saturating_sub(self.all.bytes) / PARTS
    }

    /// Counts a reply of so many bytes that begins to wait.
    pub(super) fn add(&mut self, identity: &[u8], bytes: usize) {
        let one = Share { replies: 1, bytes };
        self.all = self.all.plus(one);
        match self.clients.get_mut(identity) {
            Some(share) => *share = share.plus(one),
            None => drop(self.clients.insert(identity.to_owned(), one)),
        }
    }

    /// Counts a reply of so many bytes that waits no more.
    pub(super) fn remove(&mut self, identity: &[u8], bytes: usize) {
        self.all = Share { replies: self.all.replies - 1, bytes: self.all.bytes.saturating_sub(bytes) };
        let Some(share) = self.clients.get_mut(identity) else { return };
        *share = Share { replies: share.replies - 1, bytes: share.bytes.saturating_sub(bytes) };
        if share.replies == 0 {
            self.clients.remove(identity);
        }
    }

    /// Whether as much waits as may.
    pub(super) fn is_full(&self) -> bool {
        self.all.replies >= self.max.replies || self.all.bytes >= self.max.bytes
    }

    /// Whether so much waits that replies for clients that have gone should be given up.
    pub(super) fn is_crowded(&self) -> bool {
        self.all.replies > self.max.replies / 2 || self.all.bytes > self.max.bytes / 2
    }

    /// What waits in all.
    pub(super) fn all(&self) -> Share {
        self.all
    }

    /// How many clients have replies that wait.
    pub(super) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The clients with replies that wait, but without a connection.
    pub(super) fn clients_without(&self, mut is_connected: impl FnMut(&[u8]) -> bool) -> HashSet<Vec<u8>> {
        self.clients.keys().filter(|identity| !is_connected(identity)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares() -> ClientShares {
        ClientShares::new(Share { replies: 400, bytes: 4_000 })
    }

    /// Adds replies of so many bytes each until no more are admitted.
    fn fill(shares: &mut ClientShares, identity: &[u8], bytes: usize) -> usize {
        let more = Share { replies: 1, bytes };
        (0..)
            .take_while(|_| {
                let admitted = shares.admits(identity, more);
                if admitted {
                    shares.add(identity, bytes);
                }
                admitted
            })
            .count()
    }

    #[test]
    fn one_client_takes_a_quarter_and_many_leave_room() {
        let mut shares = shares();
        assert_eq!(fill(&mut shares, b"a", 1), 100);
        assert_eq!(fill(&mut shares, b"b", 1), 75);
        for client in 0..8u8 {
            fill(&mut shares, &[client], 1);
        }
        assert!(!shares.is_full() && shares.is_crowded());
        assert!(shares.admits(b"newcomer", Share { replies: 1, bytes: 1 }));
        assert!(!shares.admits(b"a", Share { replies: 1, bytes: 1 }));
    }

    #[test]
    fn bytes_have_their_bound_too() {
        let mut shares = shares();
        assert_eq!(fill(&mut shares, b"a", 100), 10);
        assert_eq!(shares.all(), Share { replies: 10, bytes: 1_000 });
        assert!(shares.admits(b"b", Share { replies: 1, bytes: 10_000 }), "its first");
    }

    #[test]
    fn what_waits_no_more_makes_room() {
        let mut shares = shares();
        for _ in 0..fill(&mut shares, b"a", 7) {
            shares.remove(b"a", 7);
        }
        assert_eq!((shares.all(), shares.clients_without(|_| false).len()), (Share::default(), 0));
    }
}
