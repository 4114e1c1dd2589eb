//! The streams' loop: waits for all sockets at once, and visits in turn those that have something to do.

use super::StreamSettings;
use super::command::Command;
use super::doorbell::{Call, Doorbell};
use super::opening::Opening;
use super::owned_socket::{OwnedSocket, Visit};
use super::ready::ReadyList;
use super::state::SocketId;
use crate::flow::bell::Bell;
use crate::log_limit::LogLimit;
use crate::messaging::batching::Batching;
use crate::messaging::curve::Authenticator;
use crate::messaging::socket::{self, BindError};
use crate::system::fail_point::is_to_fail;
use crate::system::supervisor::Supervisor;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The thread's name.
pub(super) const NAME: &str = "streams";
/// How often each socket is looked after, if nothing happens: queue depths, removed keys, connections that are due.
const SWEEP: Duration = Duration::from_millis(250);
/// How long messages gather while many come: to wait for each costs more than all other work on it.
const GATHER_TIME: Duration = Duration::from_micros(250);
/// Descriptors that one wait tells of; of others the next one does.
const EVENTS: usize = 256;
/// The token of the bell. Those of sockets are twice their number, and one more for the monitor.
const BELL: Token = Token(usize::MAX);

/// All that the thread owns.
pub(super) struct StreamLoop {
    sockets: HashMap<SocketId, OwnedSocket>,
    ready: ReadyList,
    sweep: Option<Instant>,
    batching: Batching,
    are_many: bool,
    /// The buffer into which every frame is received.
    frame: zmq::Message,
    poll: Poll,
    events: Events,
    doorbell: Arc<Doorbell>,
    bell: Bell,
    settings: StreamSettings,
    supervisor: Supervisor,
    log_limit: LogLimit,
    authenticator: Option<Arc<Authenticator>>,
    /// The last field: dropping it waits until its sockets are closed, which takes as long as their linger.
    context: zmq::Context,
}

impl StreamLoop {
    /// Makes all but the sockets.
    ///
    /// # Errors
    /// When the system gives no descriptors, or the authenticator cannot be started; says why.
    pub(super) fn open(
        settings: StreamSettings,
        (doorbell, bell): (Arc<Doorbell>, Bell),
        supervisor: Supervisor,
    ) -> Result<Self, String> {
        let told = |error: io::Error| format!("waiting for descriptors: {error}");
        let poll = Poll::new().map_err(told)?;
        poll.registry().register(&mut SourceFd(&bell.as_raw_fd()), BELL, Interest::READABLE).map_err(told)?;
        let context = zmq::Context::new();
        let authenticator = settings.curve.as_ref().map(|curve| curve.guard(&context)).transpose()?.map(Arc::new);
        Ok(Self {
            sockets: HashMap::new(),
            ready: ReadyList::default(),
            sweep: None,
            batching: Batching::new(Instant::now()),
            are_many: false,
            frame: zmq::Message::new(),
            poll,
            events: Events::with_capacity(EVENTS),
            doorbell,
            bell,
            settings,
            supervisor,
            log_limit: LogLimit::default(),
            authenticator,
            context,
        })
    }

    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// When the system fails to wait.
    pub(super) fn run(mut self) -> Result<(), String> {
        let (mut commands, mut calls) = (Vec::new(), Vec::new());
        loop {
            self.doorbell.take(&mut commands, &mut calls);
            for command in commands.drain(..) {
                if matches!(command, Command::Stop) {
                    return Ok(());
                }
                self.obey(command);
            }
            for call in calls.drain(..) {
                self.answer(call);
            }
            self.visit_ready();
            if self.sweep.is_some_and(|due| due <= Instant::now()) {
                self.sweep();
            }
            self.wait()?;
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(opening, reply) => {
                let id = opening.id;
                let opened = self.open_socket(*opening);
                if reply.send(opened).is_err() {
                    // Whoever asked has gone, and nobody could end the socket.
                    self.close(id);
                }
            }
            Command::SetInlets(id, inlets) => self.with(id, |socket| socket.set_inlets(inlets)),
            Command::Pause(id, is_paused) => self.with(id, |socket| socket.pause(is_paused)),
            Command::End(id, by, closed) => self.with(id, |socket| socket.end(by, closed)),
            Command::Stop => {}
        }
        // What was commanded may be due at once.
        self.sweep = Some(Instant::now());
    }

    fn answer(&mut self, call: Call) {
        match call {
            Call::Room(id) => self.with(id, OwnedSocket::room),
            Call::Queued(id) => self.with(id, |_| {}),
            Call::LookedUp(_) => self.sweep = Some(Instant::now()),
        }
    }

    /// Does something with a socket, which is visited then.
    fn with(&mut self, id: SocketId, act: impl FnOnce(&mut OwnedSocket)) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            act(socket);
            self.ready.add(id);
        }
    }

    fn open_socket(&mut self, opening: Opening) -> Result<Vec<String>, BindError> {
        let id = opening.id;
        let role = opening.role();
        let (owned, endpoints) =
            opening.open(&self.context, &self.settings, self.authenticator.as_ref(), &self.supervisor)?;
        if let Err(error) = self.register(id, &owned) {
            // libzmq gave a descriptor, so this is the system's bound on them.
            let endpoint = endpoints.first().cloned().unwrap_or_default();
            return Err(BindError { act: "binding", role, endpoint, cause: error.to_string() });
        }
        self.sockets.insert(id, owned);
        self.ready.add(id);
        Ok(endpoints)
    }

    fn register(&self, id: SocketId, socket: &OwnedSocket) -> io::Result<()> {
        let [own, monitor] = socket.descriptors().map_err(|error| io::Error::other(socket::cause(error)))?;
        for (descriptor, token) in [own, monitor].into_iter().zip(tokens(id)) {
            self.poll.registry().register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        }
        Ok(())
    }

    /// Visits each socket that was ready when this began.
    fn visit_ready(&mut self) {
        let mut messages = 0;
        for _ in 0..self.ready.len() {
            let Some(id) = self.ready.next() else { break };
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            match socket.visit(&mut self.frame) {
                Ok((visit, count)) => {
                    messages += count;
                    if visit == Visit::More {
                        self.ready.add(id);
                    }
                }
                Err(zmq::Error::EINTR) => self.ready.add(id),
                Err(error) => self.warn(error),
            }
            self.close_if_ended(id);
        }
        self.are_many = self.batching.are_many(messages, Instant::now());
    }

    /// Looks after all sockets.
    fn sweep(&mut self) {
        let now = Instant::now();
        let ids: Vec<_> = self.sockets.keys().copied().collect();
        for id in ids {
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            if let Err(error) = socket.maintain(now) {
                self.warn(error);
            }
            // What looking after it took in, its descriptor does not announce any more.
            self.ready.add(id);
            self.close_if_ended(id);
        }
        let next = self.sockets.values().filter_map(OwnedSocket::due).fold(now + SWEEP, Instant::min);
        self.sweep = (!self.sockets.is_empty()).then_some(next);
    }

    fn close_if_ended(&mut self, id: SocketId) {
        if self.sockets.get_mut(&id).is_some_and(|socket| socket.has_ended(Instant::now())) {
            self.close(id);
        }
    }

    fn close(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.remove(&id) else { return };
        // libzmq closes them in its own time, and until then they would be told of.
        for descriptor in socket.descriptors().unwrap_or_default() {
            let _ = self.poll.registry().deregister(&mut SourceFd(&descriptor));
        }
        socket.close(Instant::now());
    }

    /// Waits until a socket, a monitor or another thread has something to do, or something is due.
    fn wait(&mut self) -> Result<(), String> {
        let gathers = self.ready.is_empty() && self.are_many;
        if gathers {
            std::thread::sleep(GATHER_TIME);
        }
        let may_sleep = self.ready.is_empty() && !gathers && self.doorbell.may_sleep();
        let timeout = match self.sweep {
            _ if !may_sleep => Some(Duration::ZERO),
            due => due.map(|due| due.saturating_duration_since(Instant::now())),
        };
        if is_to_fail(NAME) {
            return Err("it was told to fail".to_owned());
        }
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(format!("waiting for descriptors: {error}")),
        }
        let now = Instant::now();
        for event in &self.events {
            let token = event.token();
            if token == BELL {
                if let Err(error) = self.bell.silence() {
                    tracing::warn!(%error, "waking the streams");
                }
                continue;
            }
            let id = (token.0 / 2) as SocketId;
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            self.ready.add(id);
            // Before its messages are read: a connection that is new may have the descriptor of one that has gone.
            if token == tokens(id)[1]
                && let Err(error) = socket.receive_events()
                && let Some(times) = self.log_limit.note(now)
            {
                tracing::warn!(%error, times, "looking at peers");
            }
        }
        Ok(())
    }

    fn warn(&mut self, error: zmq::Error) {
        if let Some(times) = self.log_limit.note(Instant::now()) {
            tracing::error!(%error, times, "a socket of the streams failed; the others go on");
        }
    }
}

impl Drop for StreamLoop {
    fn drop(&mut self) {
        self.doorbell.close();
    }
}

fn tokens(id: SocketId) -> [Token; 2] {
    let token = id as usize * 2;
    [Token(token), Token(token + 1)]
}
