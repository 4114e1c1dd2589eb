//! The publish loop: hands what is queued to libzmq, hears of subscribers, and deals with those that do not read.

mod subscribers;

use super::Settings;
use super::batching::Rush;
use super::publish_queue::{Place, PublishQueue};
use super::renewal::Renewal;
use super::retained::{Retained, RetainedMessages};
use super::subscriptions::Subscriptions;
use crate::config::{
    AUTHORIZED_KEYS_LOOK_MS, OnFull, SUBSCRIPTION_BYTES_MAX, SUBSCRIPTION_CHANGES_BYTES_AT_ONCE,
    SUBSCRIPTION_CHANGES_QUEUED_MAX, SUBSCRIPTION_FRAME_BYTES_MAX,
};
use crate::ledger::Reason;
use crate::messaging::curve::keeper::Keeper;
use crate::messaging::socket;
use crate::messaging::socket::figures::SocketFigures;
use crate::messaging::socket::monitor::{Descriptor, Monitor};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zmq_sys::beyond::{self, Switch};

/// How long the loop sleeps at most: libzmq's commands pile up while nobody uses the socket.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// How long messages gather while many come. A wake-up, a send and a signal for each of them would cost more than all that
/// is done with the message before.
const NAP: Duration = Duration::from_micros(500);
/// How often a message that was refused is tried again: libzmq does not tell when there is room.
const RETRY: Duration = Duration::from_millis(2);
/// How long libzmq may take to be rid of a subscriber whose connection was ended.
const CUT_OFF_MAX: Duration = Duration::from_secs(1);
/// After so many attempts in which no subscriber could be cut off, a message is dropped.
const VAIN_ATTEMPTS_MAX: u32 = 3;
/// After so many messages the loop listens again: a long batch must not keep a new subscriber waiting.
const BATCH: usize = 1_000;

/// All that the publisher's thread owns.
pub(super) struct PublishLoop {
    // Before the socket: the last socket that closes waits until what is queued has left.
    monitor: Monitor,
    keeper: Option<Keeper>,
    socket: zmq::Socket,
    queue: Arc<PublishQueue>,
    settings: Settings,
    figures: Arc<SocketFigures>,
    subscriptions: Subscriptions,
    renewal: Renewal,
    retained: Option<RetainedMessages>,
}

impl PublishLoop {
    /// Opens the socket. Returns the endpoint with its real port too.
    pub(super) fn open(
        settings: &Settings,
        queue: Arc<PublishQueue>,
        figures: Arc<SocketFigures>,
    ) -> Result<(Self, String), String> {
        let context = zmq::Context::new();
        let mut socket = context.socket(zmq::XPUB).map_err(socket::cause)?;
        let set_options = || -> zmq::Result<()> {
            socket.set_sndhwm(socket::hwm(settings.queue_messages_max))?;
            socket.set_rcvhwm(SUBSCRIPTION_CHANGES_QUEUED_MAX)?;
            socket.set_maxmsgsize(SUBSCRIPTION_FRAME_BYTES_MAX)?;
            socket::set_patience(&socket, settings.heartbeat, settings.handshake_timeout)
        };
        set_options().map_err(socket::cause)?;
        socket::bound_queues(&mut socket, settings.peer_queue_bytes_max)?;
        let (at_once, longest) = (SUBSCRIPTION_CHANGES_BYTES_AT_ONCE, SUBSCRIPTION_BYTES_MAX as u64);
        beyond::bound_subscriptions(socket.as_mut_ptr(), at_once, longest).map_err(socket::raw_cause)?;
        // libzmq would drop a message for the one subscriber that is full, and tell nobody.
        let mut switches = vec![Switch::XpubNodrop];
        // To hand a retained message to one subscriber, its subscription must be ours to make.
        switches.push(if settings.retain.is_some() { Switch::XpubManual } else { Switch::XpubVerboser });
        for switch in switches {
            beyond::set_switch(socket.as_mut_ptr(), switch, true).map_err(socket::raw_cause)?;
        }
        let keeper = settings.curve.as_ref().map(|curve| Keeper::guard(curve, &context, &mut socket)).transpose()?;
        let monitor = Monitor::attach(&context, &mut socket, "publish", keeper.is_some(), Arc::clone(&figures))?;
        let endpoint = socket::bind_guarded(&socket, &settings.endpoint, settings.ipc)?;
        // Over `ipc` the one that is full cannot be told from the others, and each message would have to find that out.
        let on_full = match settings.on_full {
            OnFull::CutOff if endpoint.starts_with("ipc://") => OnFull::DropNewest,
            on_full => on_full,
        };
        let retained = settings.retain.map(|bounds| RetainedMessages::new(bounds.topics_max, bounds.bytes_max));
        let this = Self {
            monitor,
            keeper,
            socket,
            queue,
            settings: Settings { on_full, ..settings.clone() },
            figures,
            subscriptions: Subscriptions::default(),
            renewal: Renewal::new(Instant::now()),
            retained,
        };
        Ok((this, endpoint))
    }

    /// Publishes until the queue is closed, and then what is left in it.
    pub(super) fn run(mut self) {
        let mut batch = Vec::new();
        let mut rush = Rush::new(Instant::now());
        let deadline = loop {
            let deadline = self.queue.take(&mut batch);
            let rushed = rush.is_on(batch.len(), Instant::now());
            // After the batch was taken: whoever subscribed before a request is to get its message.
            self.listen();
            for (index, place) in batch.drain(..).enumerate() {
                if index % BATCH == BATCH - 1 {
                    self.listen();
                }
                let bytes = place.bytes();
                self.hand_over(place);
                self.queue.left(bytes);
            }
            if let Some(deadline) = deadline {
                break deadline;
            }
            if rushed {
                std::thread::sleep(NAP);
            } else {
                self.sleep();
            }
        };
        let linger = deadline.saturating_duration_since(Instant::now());
        let linger_ms = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
        if let Err(error) = self.socket.set_linger(linger_ms) {
            tracing::warn!(%error, linger_ms, "setting the linger of PUB");
        }
        // Dropping the last socket of the context ends both, after the linger at most.
    }

    /// Waits until there is something to publish or to hear.
    fn sleep(&mut self) {
        let sleep_max = match self.keeper {
            Some(_) => Duration::from_millis(AUTHORIZED_KEYS_LOOK_MS),
            None => SLEEP_MAX,
        };
        let due = self.renewal.due().min(self.monitor.due());
        let due = due.saturating_duration_since(Instant::now()).min(sleep_max);
        let (socket, monitor) = (&self.socket, &self.monitor);
        let polled = self.queue.sleep(|woken| {
            let mut items =
                [zmq::PollItem::from_fd(woken, zmq::POLLIN), socket.as_poll_item(zmq::POLLIN), monitor.as_poll_item()];
            socket::poll(&mut items, Some(due))
        });
        if let Some(Err(error)) = polled {
            tracing::warn!(%error, "waiting for messages to publish");
        }
    }

    /// Takes in who came, who went and who subscribed.
    fn listen(&mut self) {
        if let Err(error) = self.hear() {
            tracing::warn!(%error, "looking at subscribers");
        }
        self.monitor.look_around(&mut self.socket, Instant::now());
        self.make_rounds();
    }

    fn make_rounds(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            keeper.make_rounds(&mut self.monitor);
        }
    }

    /// Hands one message to libzmq, or finds out why not.
    fn hand_over(&mut self, place: Place) {
        let sent = self.send(&place);
        if let Some(retained) = &mut self.retained {
            retained.keep(Retained { topic: place.topic.as_bytes().into(), body: place.body });
        }
        match sent {
            Ok(()) => place.passage.out(),
            Err(reason) => place.passage.dropped(reason),
        }
    }

    fn send(&mut self, place: &Place) -> Result<(), Reason> {
        let deadline = match self.settings.on_full {
            OnFull::CutOff => Some(Instant::now() + CUT_OFF_MAX),
            OnFull::DropNewest => Some(Instant::now()),
            OnFull::Block => None,
        };
        let mut vain_attempts = 0;
        loop {
            match send(&self.socket, place.topic.as_bytes(), &place.body) {
                Ok(()) => {
                    self.figures.count_out(place.bytes());
                    return Ok(());
                }
                Err(zmq::Error::EAGAIN) => {}
                // The last one of that topic has just gone.
                Err(zmq::Error::EHOSTUNREACH) => return Err(Reason::NoSubscriber),
                Err(error) => {
                    tracing::warn!(%error, topic = place.topic, "publishing failed");
                    return Err(Reason::SendFailed);
                }
            }
            let deadline = deadline.or_else(|| self.queue.deadline());
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Reason::SubscriberFull);
            }
            if self.settings.on_full == OnFull::CutOff && !self.cut_off_full() {
                vain_attempts += 1;
            }
            if vain_attempts > VAIN_ATTEMPTS_MAX {
                return Err(Reason::SubscriberFull);
            }
            self.pause();
        }
    }

    /// Ends the connections of the subscribers that have no room. False if there was none to end.
    fn cut_off_full(&mut self) -> bool {
        // Takes in what subscribers have read meanwhile, so that nobody is ended who has room again.
        self.pause();
        self.monitor.ask_depths(&mut self.socket);
        self.pause();
        let full = self.monitor.select(|peer| peer.is_full);
        let cut_off = |descriptor: &Descriptor| {
            self.monitor.cut_off(*descriptor, "it does not read, and its queue is full");
            self.monitor.is_ending(*descriptor)
        };
        full.iter().map(cut_off).fold(false, |any, ending| any | ending)
    }

    /// Lets libzmq work for a moment, and takes in what it has done.
    fn pause(&mut self) {
        let _ = socket::poll(&mut [self.monitor.as_poll_item()], Some(RETRY));
        if let Err(error) = self.socket.get_events().and_then(|_| self.hear_monitor()) {
            tracing::warn!(%error, "looking at subscribers");
        }
        self.make_rounds();
    }
}

/// `[topic, body]`, or `[body]` without a topic.
fn send(socket: &zmq::Socket, topic: &[u8], body: &[u8]) -> zmq::Result<()> {
    let frames = [topic, body];
    let message = if topic.is_empty() { &frames[1..] } else { &frames[..] };
    socket::send(socket, message, zmq::DONTWAIT)
}
