//! The sender: a PUB or PUSH socket that captured messages go out by, which tells what nobody was there for or had room for.

use super::handshake::{Handshakes, ReportedFailures};
use crate::config::{
    REPLAY_QUEUE_BYTES_MAX, REPLAY_QUEUE_MESSAGES_MAX, SUBSCRIPTION_BYTES_MAX, SUBSCRIPTION_CHANGES_BYTES_AT_ONCE,
    SUBSCRIPTION_CHANGES_QUEUED_MAX, SUBSCRIPTION_FRAME_BYTES_MAX,
};
use crate::messaging::curve::client_keys::ClientKeys;
use crate::messaging::socket;
use crate::messaging::socket::endpoint::is_exposed;
use crate::messaging::socket::ipc::IpcAccess;
use crate::system::output::note;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zmq_sys::beyond::{self, Switch};

/// How many changes of subscriptions are received at a time.
const CHANGES_AT_A_TIME: usize = 100;

/// What the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderKind {
    /// PUB: each subscriber gets what it has subscribed to.
    Publish,
    /// PUSH: each message goes to one receiver.
    Push,
}

/// Where messages go, and how.
#[derive(Clone, Debug)]
pub struct SenderSettings {
    /// What the socket is.
    pub kind: SenderKind,
    /// Where it binds or connects.
    pub endpoint: String,
    /// Whether it binds.
    pub binds: bool,
    /// For a server that speaks CURVE.
    pub keys: Option<ClientKeys>,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Taken,
    /// Nobody has subscribed to it.
    Unheard,
    /// A receiver has no room for it, or none is there: nobody has got it.
    NoRoom,
}

/// An open socket. It belongs to the thread that has this.
pub struct Sender {
    socket: zmq::Socket,
    handshakes: Option<Handshakes>,
    kind: SenderKind,
    endpoint: String,
    has_subscriber: bool,
}

impl Sender {
    /// Binds, or begins to connect.
    ///
    /// # Errors
    /// When libzmq refuses an option or the endpoint; says why.
    pub fn open(settings: &SenderSettings) -> Result<Self, String> {
        let SenderSettings { kind, endpoint, binds, keys } = settings;
        let (kind, binds) = (*kind, *binds);
        let (act, role) = (if binds { "binding" } else { "connecting" }, kind.role());
        let open = || {
            let context = zmq::Context::new();
            let socket = kind.open(&context)?;
            if binds {
                let access = IpcAccess { mode: 0o700, group: None };
                let endpoint = socket::bind_guarded(&socket, endpoint, access)?;
                if is_exposed(&endpoint) {
                    note(format_args!(
                        "warning: whoever reaches {endpoint} gets what is sent: bind to 127.0.0.1 for this machine alone"
                    ));
                }
                return Ok(Self { socket, handshakes: None, kind, endpoint, has_subscriber: false });
            }
            let (endpoints, reported) = ([endpoint.clone()], Arc::<ReportedFailures>::default());
            let mut handshakes = Handshakes::watch(&context, &socket, "sender", &endpoints, keys.as_ref(), reported)?;
            handshakes.connect(&socket, endpoint)?;
            let [endpoint] = endpoints;
            Ok(Self { socket, handshakes: Some(handshakes), kind, endpoint, has_subscriber: false })
        };
        open().map_err(|cause: String| format!("{act} {role} to {endpoint}: {cause}"))
    }

    /// Where it is, with a port in place of a wildcard.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether somebody is there who would get a message: to be asked until it is so.
    ///
    /// # Errors
    /// When libzmq fails; says why.
    pub fn is_ready(&mut self) -> Result<bool, String> {
        self.maintain()?;
        match self.kind {
            SenderKind::Publish => Ok(self.has_subscriber),
            SenderKind::Push => Ok(self.socket.poll(zmq::POLLOUT, 0).map_err(socket::cause)? > 0),
        }
    }

    /// Sends a message, if there is room for it. Does not wait.
    ///
    /// # Errors
    /// When libzmq fails; says why.
    pub fn send<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> Result<Sent, String> {
        self.maintain()?;
        match socket::send(&self.socket, frames, zmq::DONTWAIT) {
            Ok(()) => Ok(Sent::Taken),
            Err(zmq::Error::EHOSTUNREACH) => Ok(Sent::Unheard),
            Err(zmq::Error::EAGAIN) => Ok(Sent::NoRoom),
            Err(error) => Err(format!("sending to {}: {}", self.endpoint, socket::cause(error))),
        }
    }

    /// Waits up to `wait` until what was sent has left this machine's queues. Whether all of it has.
    pub fn close(self, wait: Duration) -> bool {
        let Self { socket, handshakes, .. } = self;
        let linger = socket.set_linger(i32::try_from(wait.as_millis()).unwrap_or(i32::MAX));
        let started = Instant::now();
        // The context goes with its last socket, and that waits.
        drop(handshakes);
        drop(socket);
        linger.is_ok() && started.elapsed() < wait
    }

    /// Takes in what peers say of themselves.
    fn maintain(&mut self) -> Result<(), String> {
        if let Some(handshakes) = &mut self.handshakes {
            handshakes.maintain(&self.socket).map_err(socket::cause)?;
        }
        if self.kind == SenderKind::Publish {
            for _ in 0..CHANGES_AT_A_TIME {
                let Some(frames) = socket::receive_now(&self.socket, 1).map_err(socket::cause)? else { break };
                self.has_subscriber |= frames.first().is_some_and(|change| change.first() == Some(&1));
            }
            beyond::take_more(self.socket.as_mut_ptr()).map_err(socket::raw_cause)?;
        }
        Ok(())
    }
}

impl SenderKind {
    fn role(self) -> &'static str {
        match self {
            Self::Publish => "PUB",
            Self::Push => "PUSH",
        }
    }

    fn open(self, context: &zmq::Context) -> Result<zmq::Socket, String> {
        // A PUB does not tell whether anybody is there.
        let kind = if self == Self::Publish { zmq::XPUB } else { zmq::PUSH };
        let mut socket = context.socket(kind).map_err(socket::cause)?;
        socket.set_sndhwm(socket::hwm(REPLAY_QUEUE_MESSAGES_MAX)).map_err(socket::cause)?;
        // Nothing is queued for somebody who is not there.
        socket.set_immediate(true).map_err(socket::cause)?;
        socket.set_linger(0).map_err(socket::cause)?;
        socket::bound_queues(&mut socket, REPLAY_QUEUE_BYTES_MAX)?;
        if self == Self::Publish {
            socket.set_rcvhwm(SUBSCRIPTION_CHANGES_QUEUED_MAX).map_err(socket::cause)?;
            socket.set_maxmsgsize(SUBSCRIPTION_FRAME_BYTES_MAX).map_err(socket::cause)?;
            let (at_once, longest) = (SUBSCRIPTION_CHANGES_BYTES_AT_ONCE, SUBSCRIPTION_BYTES_MAX as u64);
            beyond::bound_subscriptions(socket.as_mut_ptr(), at_once, longest).map_err(socket::raw_cause)?;
            beyond::set_switch(socket.as_mut_ptr(), Switch::XpubNodrop, true).map_err(socket::raw_cause)?;
        }
        Ok(socket)
    }
}
