//! The frontend: the ROUTER socket that clients connect to, with what is known of them and who is let in.

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
    keeper: Option<AccessControl>,
    socket: zmq::Socket,
    /// Whether connections may have to be ended: to write down who sent a request costs something.
    knows_clients: bool,
    /// The connection by which each identity came last.
    clients: HashMap<Vec<u8>, Descriptor>,
    figures: Arc<SocketStatistics>,
}

impl Frontend {
    /// Binds the socket. Also returns its endpoint with its real port.
    ///
    /// # Errors
    /// When the socket cannot be made, guarded, watched or bound; says why.
    pub(super) fn open(
        context: &zmq::Context,
        settings: &Settings,
        figures: Arc<SocketStatistics>,
    ) -> Result<(Self, String), String> {
        let mut socket = context.socket(zmq::ROUTER).map_err(socket::cause)?;
        let Settings { name, messaging, broker, ipc, curve, .. } = settings;
        let set_options = || -> zmq::Result<()> {
            socket.set_router_mandatory(true)?;
            // A client that came back is served, although its old connection may not have ended yet.
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
        let keeper = curve.as_ref().map(|curve| AccessControl::guard(curve, context, &mut socket)).transpose()?;
        let monitor = Monitor::attach(context, &mut socket, name, keeper.is_some(), Arc::clone(&figures))?;
        let endpoint = socket::bind_guarded(&socket, &messaging.frontend.to_string(), *ipc)?;
        let knows_clients = broker.on_full == OnFull::CutOff || keeper.is_some();
        Ok((Self { monitor, keeper, socket, knows_clients, clients: HashMap::new(), figures }, endpoint))
    }

    /// Sends a reply, if its client has room for it now.
    pub(super) fn send(&self, reply: &QueuedReply) -> Sent {
        // ROUTER_MANDATORY makes an error of what libzmq would drop unseen.
        match socket::send_frames(&self.socket, reply.message(), zmq::DONTWAIT) {
            Ok(()) => {
                self.figures.count_out(reply.message().map(<[u8]>::len).sum());
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

    /// For its options.
    pub(super) fn socket(&self) -> &zmq::Socket {
        &self.socket
    }

    /// Ready for these events of the socket; and when connections have come or gone.
    pub(super) fn as_poll_items(&self, events: zmq::PollEvents) -> [zmq::PollItem<'_>; 2] {
        [self.socket.as_poll_item(events), self.monitor.as_poll_item()]
    }

    /// The next request that is there already; none if there is none. Of its frames only `frames_max` are kept.
    ///
    /// # Errors
    /// When libzmq fails to receive.
    pub(super) fn receive(&mut self, frames_max: usize) -> zmq::Result<Option<Received>> {
        let received = if self.knows_clients {
            socket::receive_from(&self.socket, frames_max)?
        } else {
            let frames = socket::receive_now(&self.socket, frames_max)?;
            frames.map(|frames| Received { frames, descriptor: None, key: None })
        };
        if let Some(received) = &received {
            self.figures.count_in(received.frames.iter().map(Vec::len).sum());
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

    /// Whether a client of this identity is there.
    pub(super) fn has(&mut self, identity: &[u8]) -> bool {
        beyond::has_peer(self.socket.as_mut_ptr(), identity)
    }

    /// Whether a request with this key is taken in.
    pub(super) fn lets_in(&self, key: Option<&str>) -> bool {
        self.keeper.as_ref().is_none_or(|keeper| keeper.lets_in(key))
    }

    /// Ends the connection of a client that does not read.
    pub(super) fn cut_off(&mut self, identity: &[u8]) {
        let known = self.clients.get(identity).copied();
        if known.is_none_or(|descriptor| self.monitor.is_ending(descriptor)) {
            return;
        }
        // The log is to tell what is queued to it.
        self.monitor.ask_depths(&mut self.socket);
        if let Err(error) = self.hear() {
            tracing::warn!(%error, "looking at clients");
        }
        // It may have gone meanwhile.
        if let Some(descriptor) = self.clients.get(identity) {
            self.monitor.cut_off(*descriptor, "it does not read its replies, and its queue is full");
        }
    }

    /// Processes which clients came and went, asks for queue depths when that is due, and cuts off clients whose key was
    /// removed.
    ///
    /// # Errors
    /// When the socket or its monitor cannot be read.
    pub(super) fn attend(&mut self) -> zmq::Result<()> {
        let now = Instant::now();
        if now >= self.monitor.due() {
            // Makes the socket take in what it is to tell of, which it does only when it is used.
            self.socket.get_events()?;
        }
        self.hear()?;
        self.monitor.look_around(&mut self.socket, now);
        if let Some(keeper) = &mut self.keeper {
            keeper.make_rounds(&mut self.monitor);
        }
        Ok(())
    }

    /// Takes in who came and went.
    fn hear(&mut self) -> zmq::Result<()> {
        for (descriptor, peer) in self.monitor.receive_events()? {
            let (address, queue_messages) = (peer.address(), peer.queue_messages);
            tracing::debug!(peer = address, queue_messages, "client gone");
            if let Some(identity) = peer.identity.filter(|identity| self.clients.get(identity) == Some(&descriptor)) {
                self.clients.remove(&identity);
            }
        }
        Ok(())
    }

    /// Whether [`Frontend::attend`] has something to do, though no connection has come or gone.
    pub(super) fn is_due(&self) -> bool {
        self.keeper.is_some() || Instant::now() >= self.monitor.due()
    }

    /// When that is so again.
    pub(super) fn due(&self, now: Instant) -> Instant {
        let rounds = self.keeper.as_ref().map(|_| now + Duration::from_millis(AUTHORIZED_KEYS_LOOK_MS));
        rounds.into_iter().fold(self.monitor.due(), Instant::min)
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
