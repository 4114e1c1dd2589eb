//! The socket that workers connect to, with its monitor and its access control: a ROUTER, or a DEALER for REP workers.

use super::PoolSettings;
use super::core::{Ended, Incoming, REP_CONNECTION, Sender};
use super::protocol::{Protocol, WorkerFrames};
use crate::config::{AUTHORIZED_KEYS_LOOK_MS, Endpoint, REQUESTS_PER_CLIENT_MAX};
use crate::flow::{WorkerState, WorkerStatus};
use crate::messaging::curve::access_control::AccessControl;
use crate::messaging::socket::monitor::{Descriptor, Monitor};
use crate::messaging::socket::statistics::{PeerStatistics, SocketStatistics};
use crate::messaging::socket::{self, BindError, Received};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zmq_sys::beyond;

/// The frames that stand before those of an answer, at most: the identity, and those of the protocol.
const ENVELOPE_FRAMES_MAX: usize = 6;
/// Commands that may wait for one worker beside the messages for it.
const COMMANDS_PER_WORKER_MAX: usize = 100;

/// Belongs to the pool's thread.
pub(super) struct PoolSocket {
    // Dropped before the socket.
    monitor: Monitor,
    access_control: Option<AccessControl>,
    socket: zmq::Socket,
    is_dealer: bool,
    frames_max: usize,
    statistics: Arc<SocketStatistics>,
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotSent(pub(super) &'static str);

impl PoolSocket {
    /// Binds it. Also returns its endpoints, with real ports.
    ///
    /// # Errors
    /// When the socket cannot be made, guarded, watched or bound; names the endpoint.
    pub(super) fn open(
        context: &zmq::Context,
        settings: &PoolSettings,
        statistics: Arc<SocketStatistics>,
    ) -> Result<(Self, Vec<String>), BindError> {
        let is_dealer = settings.is_rep();
        let (socket, access_control, monitor) = Self::make(context, settings, is_dealer, Arc::clone(&statistics))
            .map_err(|cause| settings.not_bound(settings.config.bind.first(), cause))?;
        let bind = |endpoint: &Endpoint| {
            socket::bind_guarded(&socket, &endpoint.to_string(), settings.ipc)
                .map_err(|cause| settings.not_bound(Some(endpoint), cause))
        };
        let endpoints = settings.config.bind.iter().map(bind).collect::<Result<_, _>>()?;
        let frames_max = settings.messaging.frames_max + ENVELOPE_FRAMES_MAX;
        Ok((Self { monitor, access_control, socket, is_dealer, frames_max, statistics }, endpoints))
    }

    fn make(
        context: &zmq::Context,
        settings: &PoolSettings,
        is_dealer: bool,
        statistics: Arc<SocketStatistics>,
    ) -> Result<(zmq::Socket, Option<AccessControl>, Monitor), String> {
        let mut socket = context.socket(if is_dealer { zmq::DEALER } else { zmq::ROUTER }).map_err(socket::cause)?;
        let PoolSettings { name, config, messaging, curve, .. } = settings;
        let set_options = || -> zmq::Result<()> {
            if !is_dealer {
                socket.set_router_mandatory(true)?;
                // A worker that reconnects is served by its new connection, even if the old one has not ended yet.
                socket.set_router_handover(true)?;
            }
            socket.set_maxmsgsize(i64::try_from(messaging.frame_bytes_max).unwrap_or(i64::MAX))?;
            socket.set_rcvhwm(REQUESTS_PER_CLIENT_MAX)?;
            let commands = if is_dealer { 0 } else { COMMANDS_PER_WORKER_MAX };
            socket.set_sndhwm(socket::hwm(config.in_flight_per_worker_max + commands))?;
            let ms = Duration::from_millis;
            // libzmq answers them on a thread of its own, so a worker that has much to do is there still.
            socket::set_timeouts(&socket, ms(config.heartbeat_ms), ms(messaging.handshake_timeout_ms))?;
            socket.set_linger(0)
        };
        set_options().map_err(socket::cause)?;
        socket::bound_queues(&mut socket, messaging.peer_queue_bytes_max)?;
        let access_control =
            curve.as_ref().map(|curve| AccessControl::guard(curve, context, &mut socket, &statistics)).transpose()?;
        let monitor = Monitor::attach(context, &mut socket, name, access_control.is_some(), statistics)?;
        Ok((socket, access_control, monitor))
    }

    /// The socket and its monitor.
    pub(super) fn as_poll_items(&self) -> [zmq::PollItem<'_>; 2] {
        [self.socket.as_poll_item(zmq::POLLIN), self.monitor.as_poll_item()]
    }

    /// Sends to the peer of an identity; a DEALER to whose turn it is.
    ///
    /// # Errors
    /// When there is no such peer, it has no room, or libzmq fails.
    pub(super) fn send(&self, to: &Bytes, frames: &WorkerFrames) -> Result<(), NotSent> {
        let identity = (!self.is_dealer).then_some(&**to);
        let all = identity.into_iter().chain(frames.iter().map(|frame| &**frame));
        match socket::send_frames(&self.socket, all, zmq::DONTWAIT) {
            Ok(()) => {
                self.statistics.count_out(frames.iter().map(Bytes::len).sum());
                Ok(())
            }
            Err(zmq::Error::EAGAIN) => Err(NotSent("it does not read what it is sent")),
            Err(zmq::Error::EHOSTUNREACH) => Err(NotSent("its connection ended")),
            Err(error) => {
                tracing::warn!(%error, "sending to a worker");
                Err(NotSent("libzmq did not send to it"))
            }
        }
    }

    /// The next message that is there already; none if there is none. One of a peer that is not let in any more comes
    /// without frames, and of one with more than one may have some are missing.
    ///
    /// # Errors
    /// When libzmq fails to receive.
    pub(super) fn receive(&mut self) -> zmq::Result<Option<Incoming>> {
        let Some(received) = socket::receive_from(&self.socket, self.frames_max + 1)? else { return Ok(None) };
        let Received { frames, descriptor, key } = received;
        self.statistics.count_in(frames.iter().map(Vec::len).sum());
        let is_let_in = self.access_control.as_ref().is_none_or(|access| access.lets_in(key.as_deref()));
        let is_whole = frames.len() <= self.frames_max;
        let mut frames = frames.into_iter().map(Bytes::from);
        let identity = if self.is_dealer { Bytes::new() } else { frames.next().unwrap_or_default() };
        let connection = if self.is_dealer { REP_CONNECTION } else { descriptor.unwrap_or(REP_CONNECTION) };
        let frames = if is_let_in { frames.collect() } else { WorkerFrames::new() };
        Ok(Some(Incoming { from: Sender { identity, connection, key }, frames, is_whole }))
    }

    /// Notes who is behind a connection, for the statistics and for when its key is taken off the list.
    pub(super) fn note(&mut self, from: &Sender) {
        self.monitor.update(from.connection, |peer| {
            peer.identity = Some(from.identity.to_vec());
            peer.key.clone_from(&from.key);
        });
    }

    /// The connections that have ended.
    ///
    /// # Errors
    /// When the monitor's events cannot be received.
    pub(super) fn ended(&mut self) -> zmq::Result<Vec<Ended>> {
        let ended = self.monitor.receive_events()?.into_iter();
        Ok(ended.map(|(connection, peer)| Ended { connection, sent_too_much: peer.sent_too_much }).collect())
    }

    /// How many peers are connected.
    pub(super) fn peer_count(&self) -> usize {
        self.statistics.peer_count()
    }

    /// The peers of a DEALER, of which nothing is known but that they are connected.
    pub(super) fn rep_workers(&self) -> Vec<WorkerStatus> {
        let worker = |peer: PeerStatistics| WorkerStatus {
            id: 0,
            identity: String::new(),
            protocol: Protocol::Rep.as_str(),
            state: WorkerState::Idle,
            address: Some(peer.address),
            key: peer.key,
            connected_ms: 0,
            silent_ms: None,
            in_flight: 0,
            done: 0,
            mean_us: None,
        };
        self.statistics.peers().into_iter().map(worker).collect()
    }

    /// The address behind a connection.
    pub(super) fn address(&self, connection: Descriptor) -> Option<String> {
        self.monitor.peer(connection).map(|peer| peer.address().to_owned())
    }

    /// Ends the connection of a peer, unless it has ended and another one has its number. Returns whether it did.
    pub(super) fn cut_off(&mut self, connection: Descriptor, identity: &Bytes, why: &'static str) -> bool {
        // What its connection has told of its end is heard first: the number may be another one's by now.
        let _ = self.socket.get_events();
        let is_there = beyond::has_peer(self.socket.as_mut_ptr(), identity);
        if is_there {
            self.monitor.shut_out(connection, why);
        }
        is_there
    }

    /// Whether the connection of a peer was ended here. Over `ipc` it may go on, and nobody listens.
    pub(super) fn is_ending(&self, connection: Descriptor) -> bool {
        self.monitor.is_ending(connection)
    }

    /// What is done once in a while: asks for queue depths, and cuts off peers whose key was removed.
    pub(super) fn maintain(&mut self, now: Instant) {
        self.monitor.poll_peers(&mut self.socket, now);
        if let Some(access_control) = &mut self.access_control {
            access_control.cut_off_removed_keys(&mut self.monitor);
        }
    }

    /// When [`Self::maintain`] has something to do.
    pub(super) fn due(&self, now: Instant) -> Instant {
        let keys_due = self.access_control.as_ref().map(|_| now + Duration::from_millis(AUTHORIZED_KEYS_LOOK_MS));
        keys_due.into_iter().fold(self.monitor.due(), Instant::min)
    }

    /// Has libzmq send for so long what it was handed, once the socket is closed.
    pub(super) fn set_linger(&self, linger: Duration) {
        let linger_ms = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
        if let Err(error) = self.socket.set_linger(linger_ms) {
            tracing::warn!(%error, linger_ms, "setting the linger of a pool");
        }
    }
}
