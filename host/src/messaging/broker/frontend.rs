//! The frontend: the ROUTER socket that clients connect to, with its monitor and its access control.

use super::Settings;
use super::core::{QueuedReply, Sent};
use crate::config::{AUTHORIZED_KEYS_LOOK_MS, OnFull, REQUESTS_PER_CLIENT_MAX};
use crate::ledger::Reason;
use crate::messaging::curve::access_control::AccessControl;
use crate::messaging::socket::monitor::{Descriptor, Monitor};
use crate::messaging::socket::statistics::SocketStatistics;
use crate::messaging::socket::{self, Received};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zmq_sys::beyond;

/// Belongs to the broker's thread.
pub(super) struct Frontend {
    monitor: Monitor,
    access_control: Option<AccessControl>,
    socket: zmq::Socket,
    /// Whether clients may have to be cut off. If not, they are not recorded, which would cost time for each request.
    records_clients: bool,
    /// The connection by which the last request of each identity came.
    clients: HashMap<Vec<u8>, Descriptor>,
    statistics: Arc<SocketStatistics>,
}

impl Frontend {
    /// Binds the socket. Also returns its endpoint with its real port.
    ///
    /// # Errors
    /// When the socket cannot be made, guarded, watched or bound; says why.
    pub(super) fn open(
        context: &zmq::Context,
        settings: &Settings,
        statistics: Arc<SocketStatistics>,
    ) -> Result<(Self, String), String> {
        let mut socket = context.socket(zmq::ROUTER).map_err(socket::cause)?;
        let Settings { name, messaging, broker, ipc, curve, .. } = settings;
        let set_options = || -> zmq::Result<()> {
            socket.set_router_mandatory(true)?;
            // A client that reconnects is served by its new connection, even if the old one has not ended yet.
            socket.set_router_handover(true)?;
            socket.set_maxmsgsize(i64::try_from(messaging.frame_bytes_max).unwrap_or(i64::MAX))?;
            socket.set_rcvhwm(REQUESTS_PER_CLIENT_MAX)?;
            socket.set_sndhwm(socket::hwm(messaging.queue_messages_max))?;
            let ms = Duration::from_millis;
            socket::set_timeouts(&socket, ms(messaging.heartbeat_ms), ms(messaging.handshake_timeout_ms))?;
            socket.set_linger(0)
        };
        set_options().map_err(socket::cause)?;
        socket::bound_queues(&mut socket, messaging.peer_queue_bytes_max)?;
        let access_control =
            curve.as_ref().map(|curve| AccessControl::guard(curve, context, &mut socket, &statistics)).transpose()?;
        let monitor = Monitor::attach(context, &mut socket, name, access_control.is_some(), Arc::clone(&statistics))?;
        let endpoint = socket::bind_guarded(&socket, &messaging.frontend.to_string(), *ipc)?;
        let records_clients = broker.on_full == OnFull::CutOff || access_control.is_some();
        Ok((Self { monitor, access_control, socket, records_clients, clients: HashMap::new(), statistics }, endpoint))
    }

    /// Sends a reply, if its client has room for it now.
    pub(super) fn send(&self, reply: &QueuedReply) -> Sent {
        // With ROUTER_MANDATORY libzmq returns an error for a reply that it would drop silently otherwise.
        match socket::send_frames(&self.socket, reply.message(), zmq::DONTWAIT) {
            Ok(()) => {
                self.statistics.count_out(reply.message().map(<[u8]>::len).sum());
                Sent::Out
            }
            Err(zmq::Error::EAGAIN) => Sent::Full,
            Err(zmq::Error::EHOSTUNREACH) => Sent::Failed(Reason::Unroutable, socket::cause(zmq::Error::EHOSTUNREACH)),
            Err(error) => {
                tracing::warn!(%error, "sending a reply");
                Sent::Failed(Reason::SendFailed, socket::cause(error))
            }
        }
    }

    /// The socket, for its options.
    pub(super) fn socket(&self) -> &zmq::Socket {
        &self.socket
    }

    /// The socket, for these events, and its monitor.
    pub(super) fn as_poll_items(&self, events: zmq::PollEvents) -> [zmq::PollItem<'_>; 2] {
        [self.socket.as_poll_item(events), self.monitor.as_poll_item()]
    }

    /// The next request that is there already; none if there is none. Of its frames only `frames_max` are kept.
    ///
    /// # Errors
    /// When libzmq fails to receive.
    pub(super) fn receive(&mut self, frames_max: usize) -> zmq::Result<Option<Received>> {
        let received = if self.records_clients {
            socket::receive_from(&self.socket, frames_max)?
        } else {
            let frames = socket::receive_now(&self.socket, frames_max)?;
            frames.map(|frames| Received { frames, descriptor: None, key: None })
        };
        if let Some(received) = &received {
            self.statistics.count_in(received.frames.iter().map(Vec::len).sum());
            self.note_client(received);
        }
        Ok(received)
    }

    fn note_client(&mut self, received: &Received) {
        let (Some(descriptor), Some(identity)) = (received.descriptor, received.frames.first()) else { return };
        let known = self
            .monitor
            .peer(descriptor)
            .is_none_or(|peer| peer.identity.as_ref() == Some(identity) && peer.key == received.key);
        if !known {
            self.monitor.update(descriptor, |peer| {
                peer.identity = Some(identity.clone());
                peer.key.clone_from(&received.key);
            });
            self.clients.insert(identity.clone(), descriptor);
        }
    }

    /// Whether a client of this identity is connected.
    pub(super) fn has(&mut self, identity: &[u8]) -> bool {
        beyond::has_peer(self.socket.as_mut_ptr(), identity)
    }

    /// Whether a request with this key is accepted.
    pub(super) fn lets_in(&self, key: Option<&str>) -> bool {
        self.access_control.as_ref().is_none_or(|access_control| access_control.lets_in(key))
    }

    /// Ends the connection of a client that does not read.
    pub(super) fn cut_off(&mut self, identity: &[u8]) {
        let known = self.clients.get(identity).copied();
        if known.is_none_or(|descriptor| self.monitor.is_ending(descriptor)) {
            return;
        }
        // So that the log line has the current depth of its queue.
        self.monitor.ask_depths(&mut self.socket);
        if let Err(error) = self.receive_events() {
            tracing::warn!(%error, "looking at clients");
        }
        // The events may say that it has gone.
        if let Some(descriptor) = self.clients.get(identity) {
            self.monitor.cut_off(*descriptor, "it does not read its replies, and its queue is full");
        }
    }

    /// Processes which clients came and went, asks for queue depths when that is due, and cuts off clients whose key
    /// was removed.
    ///
    /// # Errors
    /// When the socket or its monitor cannot be read.
    pub(super) fn maintain(&mut self) -> zmq::Result<()> {
        let now = Instant::now();
        if now >= self.monitor.due() {
            // libzmq processes the ends of connections, which the monitor is to report, only when the socket is used.
            self.socket.get_events()?;
        }
        self.receive_events()?;
        self.monitor.poll_peers(&mut self.socket, now);
        if let Some(access_control) = &mut self.access_control {
            access_control.cut_off_removed_keys(&mut self.monitor);
        }
        Ok(())
    }

    /// Processes the monitor's events: which clients came and went.
    fn receive_events(&mut self) -> zmq::Result<()> {
        for (descriptor, peer) in self.monitor.receive_events()? {
            let (address, queue_messages) = (peer.address(), peer.queue_messages);
            tracing::debug!(peer = address, queue_messages, "client gone");
            if let Some(identity) = peer.identity.filter(|identity| self.clients.get(identity) == Some(&descriptor)) {
                self.clients.remove(&identity);
            }
        }
        Ok(())
    }

    /// Whether [`Frontend::maintain`] has something to do even if no connection has come or gone.
    pub(super) fn is_due(&self) -> bool {
        self.access_control.is_some() || Instant::now() >= self.monitor.due()
    }

    /// When [`Frontend::is_due`] becomes true.
    pub(super) fn due(&self, now: Instant) -> Instant {
        let keys_due = self.access_control.as_ref().map(|_| now + Duration::from_millis(AUTHORIZED_KEYS_LOOK_MS));
        keys_due.into_iter().fold(self.monitor.due(), Instant::min)
    }
}

#[cfg(test)]
mod tests {
    use super::super::core::{NO_ROOM, UNREACHABLE};
    use super::*;

    #[test]
    fn the_core_says_of_a_client_what_libzmq_says() {
        assert_eq!(socket::cause(zmq::Error::EHOSTUNREACH), UNREACHABLE);
        assert_eq!(socket::cause(zmq::Error::EAGAIN), NO_ROOM);
    }
}
