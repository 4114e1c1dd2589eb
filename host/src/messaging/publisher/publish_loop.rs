//! The publish loop: moves messages to libzmq and events of libzmq to the core, which decides what is done next.

mod subscribers;

use super::core::{Action, Outcome, PublisherCore, topic_of};
use super::{Queue, Settings};
use crate::config::{
    self, AUTHORIZED_KEYS_LOOK_MS, OnFull, SUBSCRIPTION_BYTES_MAX, SUBSCRIPTION_CHANGES_BYTES_AT_ONCE,
    SUBSCRIPTION_CHANGES_QUEUED_MAX, SUBSCRIPTION_FRAME_BYTES_MAX,
};
use crate::flow::bell::Bell;
use crate::messaging::curve::access_control::AccessControl;
use crate::messaging::socket;
use crate::messaging::socket::addresses::LetGo;
use crate::messaging::socket::connections::{Connections, Wanted};
use crate::messaging::socket::monitor::{Descriptor, Monitor};
use crate::messaging::socket::name_states::NameStates;
use crate::messaging::socket::statistics::SocketStatistics;
use crate::system::supervisor::Supervisor;
use bytes::Bytes;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zmq_sys::beyond::{self, Switch};

/// The longest sleep of the loop: libzmq's internal commands pile up while the socket is not used.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Why the socket was not opened.
pub(super) struct OpenError {
    /// What was done to which endpoint, if it was about one.
    pub(super) place: Option<(&'static str, String)>,
    pub(super) cause: String,
}

impl From<String> for OpenError {
    fn from(cause: String) -> Self {
        Self { place: None, cause }
    }
}

impl OpenError {
    fn at(act: &'static str, endpoint: &str, cause: String) -> Self {
        Self { place: Some((act, endpoint.to_owned())), cause }
    }
}

/// All that the publisher's thread owns.
pub(super) struct PublishLoop {
    name: String,
    // Dropped before the socket: closing the last socket of the context waits until what is queued has left.
    monitor: Monitor,
    access_control: Option<AccessControl>,
    socket: zmq::Socket,
    connections: Connections,
    queue: Arc<Queue>,
    bell: Bell,
    statistics: Arc<SocketStatistics>,
    core: PublisherCore,
}

impl PublishLoop {
    /// Opens the socket. Also returns its endpoints with their real ports.
    ///
    /// # Errors
    /// When the socket cannot be made, guarded, watched, bound or connected; says why.
    pub(super) fn open(
        settings: &Settings,
        queue: Arc<Queue>,
        bell: Bell,
        statistics: Arc<SocketStatistics>,
        names: Arc<NameStates>,
        supervisor: Supervisor,
    ) -> Result<(Self, Vec<String>), OpenError> {
        let (messaging, publisher) = (&settings.messaging, &settings.publisher);
        let (heartbeat, handshake) = (messaging.heartbeat_ms, messaging.handshake_timeout_ms);
        let context = zmq::Context::new();
        let mut socket = context.socket(zmq::XPUB).map_err(socket::cause)?;
        let set_options = || -> zmq::Result<()> {
            socket.set_sndhwm(socket::hwm(messaging.queue_messages_max))?;
            socket.set_rcvhwm(SUBSCRIPTION_CHANGES_QUEUED_MAX)?;
            socket.set_maxmsgsize(SUBSCRIPTION_FRAME_BYTES_MAX)?;
            socket::set_timeouts(&socket, Duration::from_millis(heartbeat), Duration::from_millis(handshake))
        };
        set_options().map_err(socket::cause)?;
        socket::bound_queues(&mut socket, messaging.peer_queue_bytes_max)?;
        let (at_once, longest) = (SUBSCRIPTION_CHANGES_BYTES_AT_ONCE, SUBSCRIPTION_BYTES_MAX as u64);
        beyond::bound_subscriptions(socket.as_mut_ptr(), at_once, longest).map_err(socket::raw_cause)?;
        // Otherwise libzmq would silently drop a message for a subscriber that has no room.
        let mut switches = vec![Switch::XpubNodrop];
        // To send a retained message to one subscriber, its subscription must be made by hand.
        switches.push(if publisher.retain { Switch::XpubManual } else { Switch::XpubVerboser });
        for switch in switches {
            beyond::set_switch(socket.as_mut_ptr(), switch, true).map_err(socket::raw_cause)?;
        }
        if let Some(keys) = &settings.keys {
            keys.apply(&socket)?;
        }
        let curve = settings.curve.as_ref().filter(|_| settings.keys.is_none());
        let access_control =
            curve.map(|curve| AccessControl::guard(curve, &context, &mut socket, &statistics)).transpose()?;
        let speaks_curve = access_control.is_some() || settings.keys.is_some();
        let monitor = Monitor::attach(&context, &mut socket, &settings.name, speaks_curve, Arc::clone(&statistics))?;
        let mut endpoints = Vec::new();
        for endpoint in settings.bind.iter().filter_map(|endpoint| endpoint.0.as_deref()) {
            let real = socket::bind_guarded(&socket, endpoint, settings.ipc);
            endpoints.push(real.map_err(|cause| OpenError::at("binding", endpoint, cause))?);
        }
        let wanted = Wanted {
            endpoints: &settings.connect,
            let_go: LetGo::AtOnce,
            look_up_period: Duration::from_millis(messaging.name_look_up_ms),
        };
        let mut connections = Connections::new(&wanted, names, supervisor, bell.waker().clone());
        endpoints.extend(connections.endpoints().map(str::to_owned));
        let connected = connections.connect(&socket, Instant::now());
        connected.map_err(|(endpoint, cause)| OpenError::at("connecting", &endpoint, cause))?;
        // Over `ipc` a subscriber that has no room cannot be told from the others and cut off, and each message would
        // be tried in vain for a while.
        let on_full = match publisher.on_full {
            OnFull::CutOff if endpoints.iter().any(|endpoint| endpoint.starts_with("ipc://")) => OnFull::DropNewest,
            on_full => on_full,
        };
        let sleep_max = access_control.as_ref().map_or(SLEEP_MAX, |_| Duration::from_millis(AUTHORIZED_KEYS_LOOK_MS));
        let core = PublisherCore::new(&config::Publisher { on_full, ..publisher.clone() }, sleep_max, Instant::now());
        Ok((
            Self {
                name: settings.name.clone(),
                monitor,
                access_control,
                socket,
                connections,
                queue,
                bell,
                statistics,
                core,
            },
            endpoints,
        ))
    }

    /// Publishes until the queue is closed and empty.
    ///
    /// # Errors
    /// When libzmq fails to wait for the socket.
    pub(super) fn run(mut self) -> Result<(), String> {
        loop {
            let now = Instant::now();
            match self.core.next(now, self.queue.deadline.get().copied()) {
                Action::Take => {
                    let more_may_come = self.queue.messages.take_all(self.core.messages());
                    self.core.taken(more_may_come, now);
                }
                Action::Listen => self.listen(now),
                Action::Receive => self.receive(),
                Action::TakeMore => self.take_more(now),
                Action::Send(message) => {
                    let outcome = match socket::send(&self.socket, &message.frames, zmq::DONTWAIT) {
                        Ok(()) => {
                            self.statistics.count_out(message.frames.iter().map(Bytes::len).sum());
                            Outcome::Out
                        }
                        Err(zmq::Error::EAGAIN) => Outcome::Full,
                        Err(zmq::Error::EHOSTUNREACH) => Outcome::NoSubscriber,
                        Err(error) => {
                            let topic = socket::escape_for_log(topic_of(&message.frames));
                            tracing::warn!(%error, topic, "publishing failed");
                            Outcome::Failed
                        }
                    };
                    self.core.sent(outcome);
                }
                Action::Pause(time) => self.pause(time),
                Action::AskDepths => self.monitor.ask_depths(&mut self.socket),
                Action::CutOff => self.cut_off(),
                Action::Gather(time) => std::thread::sleep(time),
                Action::Sleep(until) => self.sleep(until).map_err(socket::cause)?,
                Action::End(linger) => {
                    self.end(linger);
                    return Ok(());
                }
            }
        }
    }

    /// Drops the last socket of the context, which closes both, after the linger at most.
    fn end(self, linger: Duration) {
        let linger_ms = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
        if let Err(error) = self.socket.set_linger(linger_ms) {
            tracing::warn!(%error, linger_ms, "setting the linger of PUB");
        }
    }

    /// Waits until there is a message to publish or an event to process.
    fn sleep(&self, until: Instant) -> zmq::Result<()> {
        if !self.queue.messages.may_sleep(self.bell.waker()) {
            return Ok(());
        }
        let mut items = [
            zmq::PollItem::from_fd(self.bell.as_raw_fd(), zmq::POLLIN),
            self.socket.as_poll_item(zmq::POLLIN),
            self.monitor.as_poll_item(),
        ];
        let until = self.connections.due().into_iter().fold(until.min(self.monitor.due()), Instant::min);
        let wait = until.saturating_duration_since(Instant::now());
        socket::poll(&mut items, Some(wait))?;
        if items[0].is_readable()
            && let Err(error) = self.bell.silence()
        {
            tracing::warn!(%error, "waking for messages to publish");
        }
        Ok(())
    }

    /// Processes which subscribers came and went.
    fn listen(&mut self, now: Instant) {
        // libzmq processes what its connections did only when the socket is used.
        if let Err(error) = self.socket.get_events().and_then(|_| self.receive_events()) {
            tracing::warn!(%error, "looking at subscribers");
        }
        self.monitor.poll_peers(&mut self.socket, now);
        self.connections.maintain(&self.socket, &mut self.monitor, &self.name, (true, now));
        self.cut_off_removed_keys();
    }

    /// Lets libzmq work for a moment, and processes its events.
    fn pause(&mut self, time: Duration) {
        let _ = socket::poll(&mut [self.monitor.as_poll_item()], Some(time));
        if let Err(error) = self.socket.get_events().and_then(|_| self.receive_events()) {
            tracing::warn!(%error, "looking at subscribers");
        }
        self.cut_off_removed_keys();
    }

    fn cut_off_removed_keys(&mut self) {
        if let Some(access_control) = &mut self.access_control {
            access_control.cut_off_removed_keys(&mut self.monitor);
        }
    }

    /// Ends the connections of the subscribers that have no room.
    fn cut_off(&mut self) {
        let full = self.monitor.select(|peer| peer.is_full);
        let cut_off = |descriptor: &Descriptor| {
            self.monitor.cut_off(*descriptor, "it does not read, and its queue is full");
            self.monitor.is_ending(*descriptor)
        };
        let any = full.iter().map(cut_off).fold(false, |any, ending| any | ending);
        self.core.cut_off(any);
    }
}
