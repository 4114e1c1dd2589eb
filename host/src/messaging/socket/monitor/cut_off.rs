//! Ending the connection of a peer: after a handshake that takes too long, or when the socket's owner asks for it.

use super::peer::{Descriptor, Peer};
use super::{INTERVAL, Monitor};
use crate::messaging::socket::refusals;
use std::sync::atomic::Ordering;
use std::time::Instant;
use zmq_sys::connection::{self, Unsent};

impl Monitor {
    /// Ends connections without a handshake of ZMTP 3. libzmq takes whatever does not begin like ZMTP 2 or 3 for a peer
    /// of ZMTP 1, subscribes it to everything, and waits for ever.
    pub(super) fn end_overdue(&mut self, now: Instant) {
        let timeout = self.handshake_timeout + INTERVAL;
        let overdue = self.select(|peer| !peer.established && now.duration_since(peer.accepted) > timeout);
        for descriptor in overdue {
            self.cut_off(descriptor, "it has made no ZMTP 3 handshake in time");
        }
    }

    /// Whether a peer's connection was ended here.
    pub(crate) fn is_ending(&self, descriptor: Descriptor) -> bool {
        self.peers.get(&descriptor).is_some_and(|peer| peer.ending)
    }

    /// Ends a peer's connection, and logs why. A peer over `ipc` stays connected: it has no address that distinguishes
    /// it from the others.
    pub(crate) fn cut_off(&mut self, descriptor: Descriptor, why: &'static str) {
        self.end(descriptor, why, Unsent::Delivered);
    }

    fn end(&mut self, descriptor: Descriptor, why: &'static str, unsent: Unsent) {
        if self.is_ending(descriptor) {
            return;
        }
        let Some(address) = self.peers.get(&descriptor).and_then(Peer::socket_address) else { return };
        match connection::cut_off(descriptor, address, unsent) {
            Ok(true) => self.mark_ending(descriptor, why),
            // The peer has gone already.
            Ok(false) => {}
            Err(error) => tracing::warn!(surface = &*self.surface, peer = %address, %error, "cutting off"),
        }
    }

    /// As [`Monitor::cut_off`], for a subscriber that sends more than it may. The connection is reset, because a peer
    /// that waits for room to send more would not notice its end otherwise. Over `ipc` it may stay connected, but
    /// counts as cut off too.
    pub(crate) fn shut_out(&mut self, descriptor: Descriptor, why: &'static str) {
        self.end(descriptor, why, Unsent::Dropped);
        if self.peers.get(&descriptor).and_then(Peer::socket_address).is_none() {
            self.mark_ending(descriptor, why);
        }
    }

    /// Marks a peer as ending, counts that, and logs why.
    fn mark_ending(&mut self, descriptor: Descriptor, why: &'static str) {
        let Some(peer) = self.peers.get_mut(&descriptor).filter(|peer| !peer.ending) else { return };
        peer.ending = true;
        self.statistics.cut_off.fetch_add(1, Ordering::Relaxed);
        let (surface, address, key) = (&*self.surface, peer.address(), peer.key.as_deref());
        if let Some(repeats) = self.log_limit.admit((refusals::host(address).to_owned(), why), Instant::now()) {
            let Peer { queue_messages, queue_bytes, .. } = *peer;
            tracing::warn!(surface, peer = %address, key, queue_messages, queue_bytes, repeats, "cut off: {why}");
        }
    }
}
