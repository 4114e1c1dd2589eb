//! What each event of libzmq changes: peers come and go, queues grow, handshakes are refused.

use super::event::{self, Event};
use super::peer::{Descriptor, Peer, address};
use super::{Monitor, Outgoing};
use crate::messaging::socket;
use crate::messaging::socket::refusals::Refusal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use zmq_sys::accept;

impl Monitor {
    /// Processes the events that libzmq has sent. Returns the peers that have gone.
    ///
    /// # Errors
    /// When the events cannot be received.
    pub(crate) fn receive_events(&mut self) -> zmq::Result<Vec<(Descriptor, Peer)>> {
        let mut gone = std::mem::take(&mut self.forgotten);
        while let Some(frames) = socket::receive_now(&self.events, usize::MAX)? {
            let Some(event) = Event::read(&frames) else { continue };
            gone.extend(self.take(event));
        }
        Ok(gone)
    }

    fn take(&mut self, event: Event<'_>) -> Option<(Descriptor, Peer)> {
        let Event { kind, values: [value, bytes, full], remote } = event;
        match kind {
            event::ACCEPTED => self.opened(value as Descriptor, remote, false),
            event::CONNECTED => {
                self.opened(value as Descriptor, remote, true);
                self.outgoing.push((remote.to_owned(), Outgoing::Connected));
            }
            event::RETRIED => self.outgoing.push((remote.to_owned(), Outgoing::Retried)),
            // Other errors, such as that of a client that has gone already, need no handling.
            event::ACCEPT_FAILED if i32::try_from(value) == Ok(accept::NO_DESCRIPTORS) => {
                self.refuse(Refusal::NoDescriptors, remote);
            }
            event::SUCCEEDED => {
                tracing::debug!(surface = &*self.surface, peer = address(remote), "connected");
                self.update_by_endpoint(remote, |peer| peer.established = true);
            }
            event::DISCONNECTED => return self.disconnected(value as Descriptor, remote),
            event::DEPTHS => {
                let descriptor = self.by_endpoint.get(remote).copied();
                let known = descriptor.and_then(|descriptor| self.peers.get(&descriptor));
                // Of ten thousand peers nearly all have nothing queued, and their statistics need no update.
                let depth = (value, bytes, full != 0);
                if let (Some(descriptor), Some(peer)) = (descriptor, known)
                    && (peer.queue_messages, peer.queue_bytes, peer.is_full) != depth
                {
                    self.update(descriptor, |peer| {
                        (peer.queue_messages, peer.queue_bytes, peer.is_full) = depth;
                    });
                }
            }
            // This comes a moment after the event that the peer has gone. libzmq has counted the messages.
            event::LOST => {
                let (surface, peer, messages) = (Arc::clone(&self.surface), address(remote), value);
                let what = "thrown away: what was queued to a peer that has gone";
                if let Some(repeats) = self.admit_line(peer, what) {
                    tracing::warn!(surface = &*surface, peer, messages, repeats, "{what}");
                }
            }
            event::TOO_LARGE => {
                let (surface, peer, why) =
                    (Arc::clone(&self.surface), address(remote), "it sent a larger message than a peer may send");
                if let Some(repeats) = self.admit_line(peer, why) {
                    tracing::warn!(surface = &*surface, peer, repeats, "cut off: {why}");
                }
                self.statistics.cut_off.fetch_add(1, Ordering::Relaxed);
                self.update_by_endpoint(remote, |peer| peer.sent_too_much = true);
            }
            event::FAILED_NO_DETAIL | event::FAILED_PROTOCOL | event::FAILED_AUTH => {
                let refusal = match kind {
                    event::FAILED_AUTH => Refusal::Denied,
                    event::FAILED_PROTOCOL => Refusal::of_protocol_error(value),
                    _ => {
                        let peer = self.by_endpoint.get(remote).and_then(|descriptor| self.peers.get(descriptor));
                        let open_for = peer.map_or(Duration::ZERO, |peer| peer.accepted.elapsed());
                        Refusal::of_system_error(value, open_for, self.handshake_timeout)
                    }
                };
                self.refuse(refusal, remote);
            }
            _ => {}
        }
        None
    }

    fn opened(&mut self, descriptor: Descriptor, remote: &str, is_outgoing: bool) {
        let peer = Peer {
            endpoint: remote.to_owned(),
            key: None,
            identity: None,
            subscriptions: 0,
            has_subscribed: false,
            queue_messages: 0,
            queue_bytes: 0,
            is_full: false,
            is_outgoing,
            accepted: Instant::now(),
            connected_at: jiff::Timestamp::now(),
            established: false,
            refused: false,
            sent_too_much: false,
            ending: false,
        };
        self.by_endpoint.insert(remote.to_owned(), descriptor);
        self.peers.insert(descriptor, peer);
    }

    fn disconnected(&mut self, descriptor: Descriptor, remote: &str) -> Option<(Descriptor, Peer)> {
        let peer = self.peers.remove(&descriptor)?;
        if peer.is_outgoing {
            self.outgoing.push((remote.to_owned(), Outgoing::Ended));
        }
        // Peers over `ipc` all have the same endpoint, and another one may be registered under it already.
        if self.by_endpoint.get(remote) == Some(&descriptor) {
            self.by_endpoint.remove(remote);
        }
        self.statistics.remove_peer(descriptor);
        if !peer.established && !peer.refused {
            // libzmq reports no failed handshake for what it took for a peer of ZMTP 1.
            self.note_refusal(Refusal::Protocol, remote, peer.is_outgoing);
        }
        peer.established.then_some((descriptor, peer))
    }

    fn refuse(&mut self, refusal: Refusal, remote: &str) {
        let mut is_outgoing = false;
        self.update_by_endpoint(remote, |peer| {
            peer.refused = true;
            is_outgoing = peer.is_outgoing;
        });
        self.note_refusal(refusal, remote, is_outgoing);
    }

    fn note_refusal(&mut self, refusal: Refusal, remote: &str, is_outgoing: bool) {
        self.statistics.count_refused_handshake(refusal.as_str());
        self.refusals.log(refusal, address(remote), is_outgoing, Instant::now());
    }
}
