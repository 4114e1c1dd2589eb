//! How a peer's connection is ended from here, and for what.

use super::peer::{Descriptor, Peer};
use super::{INTERVAL, Monitor};
use crate::messaging::socket::refusals;
use std::sync::atomic::Ordering;
use std::time::Instant;
use zmq_sys::connection::{self, Unsent};

impl Monitor {
    /// libzmq takes whatever does not begin like ZMTP 2 or 3 for a peer of its first version, subscribes it to all, and
    /// waits for ever. So a connection without a handshake of version 3 is ended here.
    pub(super) fn end_overdue(&mut self, now: Instant) {
        let patience = self.handshake_timeout + INTERVAL;
        let overdue = self.select(|peer| !peer.established && now.duration_since(peer.accepted) > patience);
        for descriptor in overdue {
            self.cut_off(descriptor, "it has made no ZMTP 3 handshake in time");
        }
    }

    /// Whether a peer's connection was ended here.
    pub(crate) fn is_ending(&self, descriptor: Descriptor) -> bool {
        self.peers.get(&descriptor).is_some_and(|peer| peer.ending)
    }

    /// Ends a peer's connection, and says why. Over `ipc` a peer has no address by which it could be told from others, and
    /// stays.
    pub(crate) fn cut_off(&mut self, descriptor: Descriptor, why: &'static str) {
        self.end(descriptor, why, Unsent::Delivered);
    }

    fn end(&mut self, descriptor: Descriptor, why: &'static str, unsent: Unsent) {
        if self.is_ending(descriptor) {
            return;
        }
        let Some(address) = self.peers.get(&descriptor).and_then(Peer::socket_address) else { return };
        match connection::cut_off(descriptor, address, unsent) {
            Ok(true) => self.ends(descriptor, why),
            // It has gone by itself.
            Ok(false) => {}
            Err(error) => tracing::warn!(surface = self.surface, peer = %address, %error, "cutting off"),
        }
    }

    /// As [`Monitor::cut_off`], of a subscriber that is served no more for what it sends: it may not wait for room to send
    /// more. Over `ipc` it may keep its connection, but counts like the others.
    pub(crate) fn shut_out(&mut self, descriptor: Descriptor, why: &'static str) {
        self.end(descriptor, why, Unsent::Dropped);
        if self.peers.get(&descriptor).and_then(Peer::socket_address).is_none() {
            self.ends(descriptor, why);
        }
    }

    fn ends(&mut self, descriptor: Descriptor, why: &'static str) {
        let Some(peer) = self.peers.get_mut(&descriptor).filter(|peer| !peer.ending) else { return };
        peer.ending = true;
        self.figures.cut_off.fetch_add(1, Ordering::Relaxed);
        let (surface, address, key) = (self.surface, peer.address(), peer.key.as_deref());
        if let Some(repeats) = self.lines.admit((refusals::host(address).to_owned(), why), Instant::now()) {
            let Peer { queue_messages, queue_bytes, .. } = *peer;
            tracing::warn!(surface, peer = %address, key, queue_messages, queue_bytes, repeats, "cut off: {why}");
        }
    }
}
