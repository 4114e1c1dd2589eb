//! The opening of a socket: what the caller has looked up, and what the loop's thread makes of it.

use super::StreamSettings;
use super::intake::{Intake, WithoutRoom};
use super::owned_socket::{OwnedSocket, Parts};
use super::receive::Bounds;
use super::sequence::Sequence;
use super::state::{SocketId, SocketState};
use crate::config::{self, OnFull, PUSH_QUEUE_MESSAGES_MAX, READ_QUEUE_MESSAGES_MAX, SUBSCRIPTION_FRAME_BYTES_MAX};
use crate::flow::Inlet;
use crate::messaging::ClientKeys;
use crate::messaging::curve::Authenticator;
use crate::messaging::curve::access_control::AccessControl;
use crate::messaging::socket::addresses::LetGo;
use crate::messaging::socket::connections::{Connections, Wanted};
use crate::messaging::socket::monitor::Monitor;
use crate::messaging::socket::{self, BindError, BindPlace};
use crate::system::supervisor::Supervisor;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

/// libzmq tries again to connect after this time, and after twice as long each time, up to the longest.
const RECONNECT_MS: i32 = 100;
const RECONNECT_MS_MAX: i32 = 1_000;

/// A socket that is to be opened.
pub(super) struct Opening {
    pub(super) id: SocketId,
    pub(super) state: Arc<SocketState>,
    pub(super) config: config::Socket,
    /// Where it binds, with the endpoints as configured.
    pub(super) places: Vec<(String, BindPlace)>,
    /// For CURVE as a client.
    pub(super) keys: Option<ClientKeys>,
    pub(super) inlets: Vec<Arc<Inlet>>,
    /// Woken when a flow has room for the message that is held.
    pub(super) room: Waker,
    /// Woken when a message was queued to be sent.
    pub(super) queued: Waker,
    /// Woken when a name was looked up.
    pub(super) attend: Waker,
}

/// The word for a kind of socket in messages.
pub(super) fn word(kind: config::SocketType) -> &'static str {
    match kind {
        config::SocketType::Sub => "SUB",
        config::SocketType::Pull => "PULL",
        config::SocketType::Pair => "PAIR",
        config::SocketType::Pub => "PUB",
        config::SocketType::Push => "PUSH",
        config::SocketType::Router => "ROUTER",
    }
}

impl Opening {
    /// The kind and name of the socket.
    pub(super) fn role(&self) -> String {
        format!("{} {}", word(self.config.kind), self.state.name)
    }

    /// Opens the socket. Also returns its endpoints, with real ports.
    ///
    /// # Errors
    /// When the socket cannot be made, guarded, watched, bound or connected; names it and the endpoint.
    pub(super) fn open(
        self,
        context: &zmq::Context,
        settings: &StreamSettings,
        authenticator: Option<&Arc<Authenticator>>,
        supervisor: &Supervisor,
    ) -> Result<(OwnedSocket, Vec<String>), BindError> {
        let role = self.role();
        let failed =
            |act, endpoint: &str, cause| BindError { act, role: role.clone(), endpoint: endpoint.to_owned(), cause };
        let first_bound = self.places.first().map(|(endpoint, _)| ("binding", endpoint.clone()));
        let (act, first) = first_bound.unwrap_or_else(|| {
            ("connecting", self.config.connect.first().map(ToString::to_string).unwrap_or_default())
        });
        let (socket, access_control, monitor) =
            self.make(context, settings, authenticator).map_err(|cause| failed(act, &first, cause))?;
        let mut endpoints = Vec::new();
        for (endpoint, place) in &self.places {
            let real = place.bind_guarded(&socket, settings.ipc);
            endpoints.push(real.map_err(|cause| failed("binding", endpoint, cause))?);
        }
        let now = Instant::now();
        let (names, waker) = (Arc::clone(&self.state.names), self.attend);
        let wanted = Wanted {
            endpoints: &self.config.connect,
            let_go: let_go(self.config.kind),
            look_up_period: Duration::from_millis(settings.messaging.name_look_up_ms),
        };
        let mut connections = Connections::new(&wanted, names, supervisor.clone(), waker);
        endpoints.extend(connections.endpoints().map(str::to_owned));
        // An endpoint that libzmq does not understand is told at once. A name is looked up first.
        let connected = connections.connect(&socket, now);
        connected.map_err(|(endpoint, cause)| failed("connecting", &endpoint, cause))?;
        let reads = self.state.reads.clone();
        let intake = reads.map(|hop| Intake::new(hop, without_room(&self.config), self.inlets, self.room));
        let (messaging, config) = (&settings.messaging, &self.config);
        let bounds = Bounds {
            frames_max: messaging.frames_max,
            bytes_max: config.peer_queue_bytes_max.unwrap_or(messaging.peer_queue_bytes_max),
        };
        let parts = Parts {
            monitor,
            access_control,
            connections,
            intake,
            queued: self.queued,
            sequence: config.sequence.map(Sequence::new),
            bounds,
            server_key: self.keys.map(|keys| keys.server),
            state: self.state,
        };
        Ok((OwnedSocket::new(socket, parts), endpoints))
    }

    fn make(
        &self,
        context: &zmq::Context,
        settings: &StreamSettings,
        authenticator: Option<&Arc<Authenticator>>,
    ) -> Result<(zmq::Socket, Option<AccessControl>, Monitor), String> {
        let (messaging, config) = (&settings.messaging, &self.config);
        let kind = match config.kind {
            config::SocketType::Sub => zmq::SUB,
            config::SocketType::Pull => zmq::PULL,
            config::SocketType::Pair => zmq::PAIR,
            config::SocketType::Push => zmq::PUSH,
            config::SocketType::Pub => return Err("a publisher has a thread of its own".to_owned()),
            config::SocketType::Router => return Err("a router is reached by WebSocket only".to_owned()),
        };
        let mut socket = context.socket(kind).map_err(socket::cause)?;
        let messages_max = config.queue_messages_max.unwrap_or(messaging.queue_messages_max);
        let hwm = |bound: usize| socket::hwm(messages_max.min(bound));
        let set_options = || -> zmq::Result<()> {
            let reads = self.state.reads.is_some();
            let frame_bytes_max = i64::try_from(messaging.frame_bytes_max).unwrap_or(i64::MAX);
            // A peer of one that only writes has nothing to say.
            socket.set_maxmsgsize(if reads { frame_bytes_max } else { SUBSCRIPTION_FRAME_BYTES_MAX })?;
            socket.set_rcvhwm(if reads { hwm(READ_QUEUE_MESSAGES_MAX) } else { 1 })?;
            // What a SUB sends are its subscriptions, all of which each publisher has to get.
            socket.set_sndhwm(if kind == zmq::SUB { 0 } else { hwm(PUSH_QUEUE_MESSAGES_MAX) })?;
            // A peer that is not connected has no queue: what is to be sent waits here, or goes to another peer. What came
            // from an address of a name can be read only so when that is let go of.
            let has_names = config.connect.iter().any(config::Endpoint::is_every_address);
            socket.set_immediate(self.state.sink.is_some() || has_names)?;
            socket.set_reconnect_ivl(RECONNECT_MS)?;
            socket.set_reconnect_ivl_max(RECONNECT_MS_MAX)?;
            let ms = Duration::from_millis;
            let (silence, handshake) = (ms(messaging.heartbeat_ms), ms(messaging.handshake_timeout_ms));
            if self.state.sink.is_some() {
                // A worker that has enough to do reads nothing, so its libzmq answers no heartbeat; its system does.
                socket::set_timeouts(&socket, Duration::ZERO, handshake)?;
                socket::keep_alive(&socket, silence)?;
            } else {
                socket::set_timeouts(&socket, silence, handshake)?;
            }
            socket.set_linger(0)?;
            if kind == zmq::SUB {
                let everything = [String::new()];
                let topics = if config.subscribe.is_empty() { &everything[..] } else { &config.subscribe };
                topics.iter().try_for_each(|topic| socket.set_subscribe(topic.as_bytes()))?;
            }
            Ok(())
        };
        set_options().map_err(socket::cause)?;
        socket::bound_queues(&mut socket, config.peer_queue_bytes_max.unwrap_or(messaging.peer_queue_bytes_max))?;
        let access_control = match (&self.keys, &settings.curve, authenticator) {
            (Some(keys), ..) => {
                keys.apply(&socket)?;
                None
            }
            (None, Some(curve), Some(authenticator)) if config.curve.unwrap_or(true) && !self.places.is_empty() => {
                Some(AccessControl::guard_with(Arc::clone(authenticator), curve, &mut socket, &self.state.statistics)?)
            }
            _ if config.curve == Some(true) && !self.places.is_empty() => {
                return Err("curve = true, and the host has no key: set curve.secret_key_file".to_owned());
            }
            _ => None,
        };
        let speaks_curve = access_control.is_some() || self.keys.is_some();
        let statistics = Arc::clone(&self.state.statistics);
        let monitor = Monitor::attach(context, &mut socket, &self.state.name, speaks_curve, statistics)?;
        Ok((socket, access_control, monitor))
    }
}

/// When an address that left its name is let go of. Only a publisher never stops.
fn let_go(kind: config::SocketType) -> LetGo {
    match kind {
        config::SocketType::Sub => LetGo::SilentOrLate,
        kind if kind.reads() => LetGo::Silent,
        _ => LetGo::AtOnce,
    }
}

/// What becomes of a message that was read and for which a flow has no room. Only a publisher cannot be slowed.
fn without_room(config: &config::Socket) -> WithoutRoom {
    match (config.kind, config.on_full) {
        (config::SocketType::Sub, None | Some(OnFull::DropNewest | OnFull::CutOff)) => WithoutRoom::Drop,
        _ => WithoutRoom::Hold,
    }
}
