//! The broker loop: moves requests from the frontend to the backend, and replies, each at its time, back.

use super::broker::{Hops, Settings};
use super::broker_control::{self, BrokerControl, BrokerState, Command};
use super::envelope::{Envelope, Frames};
use super::exchange::{BACKEND, Job, Note};
use super::figures::SocketFigures;
use super::frontend::Frontend;
use super::origin::Origin;
use super::outbox::{Due, Next, Outbox};
use super::schedule::Schedule;
use super::socket::{self, Received};
use crate::ledger::{Passage, Reason};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How many messages move in one direction before the other has its turn.
const BATCH: usize = 100;

/// How often a reply that found no room is tried again: libzmq does not tell when a client of a ROUTER has some.
const RETRY: Duration = Duration::from_millis(5);

/// How long a client has to take what it was sent, once the loop has ended.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// All that the broker's thread owns.
pub(super) struct BrokerLoop {
    frontend: Frontend,
    backend: zmq::Socket,
    commands: zmq::Socket,
    control: Arc<BrokerControl>,
    settings: Settings,
    hops: Hops,
    /// The requests that are at a worker or on the way there, by number.
    in_flight: HashMap<u64, Passage>,
    schedule: Schedule<Waiting>,
    scheduled_bytes: usize,
    outbox: Outbox,
    /// The end of the grace period, once told to end.
    deadline: Option<Instant>,
}

/// A reply that waits for its time.
struct Waiting {
    message: Frames,
    origin: Origin,
    passage: Passage,
}

impl BrokerLoop {
    /// Opens the loop's sockets. Returns the frontend's endpoint with its real port too.
    pub(super) fn open(
        context: &zmq::Context,
        settings: &Settings,
        hops: Hops,
        control: Arc<BrokerControl>,
        figures: Arc<SocketFigures>,
    ) -> Result<(Self, String), String> {
        let (frontend, endpoint) = Frontend::open(context, settings, Arc::clone(&figures))?;
        let inproc = |kind, endpoint, cause| format!("binding {kind} to {endpoint}: {cause}");
        let this = Self {
            frontend,
            backend: open_backend(context).map_err(|cause| inproc("DEALER", BACKEND, cause))?,
            commands: open_control(context).map_err(|cause| inproc("PULL", broker_control::ENDPOINT, cause))?,
            control,
            settings: settings.clone(),
            in_flight: HashMap::new(),
            schedule: Schedule::new(),
            scheduled_bytes: 0,
            outbox: Outbox::new(settings.on_full, figures, hops.dead_letters.clone()),
            hops,
            deadline: None,
        };
        Ok((this, endpoint))
    }

    /// Runs until it was told to drain and has.
    pub(super) fn run(mut self) {
        while !self.drained() {
            if let Err(error) = self.turn() {
                // What fails here is a socket; what fails with one message is dealt with where it happens.
                tracing::error!(%error, "broker ends");
                break;
            }
        }
        let (requests, replies) = (self.in_flight.len(), self.schedule.len());
        if requests + replies > 0 {
            tracing::warn!(requests, replies, "abandoned at the end of the grace period");
        }
        let left = self.deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(Instant::now()));
        let linger_ms = i32::try_from(left.min(LINGER_MAX).as_millis()).unwrap_or(i32::MAX);
        if let Err(error) = self.frontend.socket().set_linger(linger_ms) {
            tracing::warn!(%error, linger_ms, "setting the linger of ROUTER");
        }
    }

    /// Whether the loop was told to end, and nothing more can be sent within its grace period.
    fn drained(&self) -> bool {
        self.deadline.is_some_and(|deadline| {
            let nothing_falls_due = self.schedule.next_due().is_none_or(|due| due > deadline);
            let nothing_left = self.in_flight.is_empty() && self.outbox.len() == 0 && nothing_falls_due;
            Instant::now() >= deadline || nothing_left
        })
    }

    /// Whether requests are read: only where their replies have room.
    fn reads(&self) -> bool {
        self.deadline.is_none()
            && self.control.gauges.state() == BrokerState::Running
            && self.schedule.len() + self.outbox.len() < self.settings.queue_messages_max
            && self.scheduled_bytes < self.settings.queue_bytes_max
            // Replies are held only where the policy is that everybody waits.
            && self.outbox.len() == 0
    }

    /// Waits until something can be done, and does a bounded part of it in each direction.
    fn turn(&mut self) -> zmq::Result<()> {
        // A request is read only where it can go on at once. While the backend is full, wait for that to change;
        // otherwise do not, for it would be ready all the time.
        let writable = self.backend.get_events()?.contains(zmq::POLLOUT);
        let (frontend_events, backend_events) = match (self.reads(), writable) {
            (true, true) => (zmq::POLLIN, zmq::POLLIN),
            (true, false) => (zmq::PollEvents::empty(), zmq::POLLIN | zmq::POLLOUT),
            (false, _) => (zmq::PollEvents::empty(), zmq::POLLIN),
        };
        let [frontend, connections] = self.frontend.as_poll_items(frontend_events);
        let commands = self.commands.as_poll_item(zmq::POLLIN);
        let mut items = [commands, self.backend.as_poll_item(backend_events), frontend, connections];
        socket::poll(&mut items, Some(self.wait()))?;
        let [command, backend, frontend, _] = items.map(|item| item.is_readable());

        if command {
            self.hear_command()?;
        }
        if backend {
            self.collect_notes()?;
        }
        self.send_due();
        if frontend {
            self.forward_requests()?;
        }
        self.frontend.attend()?;
        self.tell();
        Ok(())
    }

    /// How long nothing is to be done, if nothing comes in.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let retry = (self.outbox.len() > 0).then(|| now + RETRY);
        let times = [self.schedule.next_due(), self.deadline, retry].into_iter().flatten();
        times.fold(self.frontend.due(now), Instant::min).saturating_duration_since(now)
    }

    fn hear_command(&mut self) -> zmq::Result<()> {
        let Some(frames) = socket::receive_now(&self.commands, 2)? else { return Ok(()) };
        match Command::from_frames(&frames) {
            Some(Command::Pause) => self.change_state(BrokerState::Paused),
            Some(Command::Resume) => self.change_state(BrokerState::Running),
            Some(Command::Drain) => self.change_state(BrokerState::Draining),
            Some(Command::End(grace)) => {
                let now = Instant::now();
                self.deadline = now.checked_add(grace).or(Some(now));
            }
            None => tracing::error!("unreadable command to the broker"),
        }
        Ok(())
    }

    fn change_state(&self, state: BrokerState) {
        if self.control.gauges.state() != state {
            tracing::info!(?state, "broker");
            self.control.gauges.set_state(state);
        }
    }

    /// Writes down how the broker does.
    fn tell(&self) {
        let gauges = &self.control.gauges;
        gauges.requests_in_flight.store(self.in_flight.len() as u64, Ordering::Relaxed);
        gauges.replies_scheduled.store(self.schedule.len() as u64, Ordering::Relaxed);
        gauges.replies_held.store(self.outbox.len() as u64, Ordering::Relaxed);
        let done = self.in_flight.is_empty() && self.schedule.len() + self.outbox.len() == 0;
        if done && gauges.state() == BrokerState::Draining {
            self.change_state(BrokerState::Drained);
        }
    }

    /// Frontend → backend.
    fn forward_requests(&mut self) -> zmq::Result<()> {
        for _ in 0..BATCH {
            if !self.backend.get_events()?.contains(zmq::POLLOUT) {
                break;
            }
            // Identity, delimiter, and one frame over the bound to tell that it is over.
            let frames_max = self.settings.frames_max.saturating_add(3);
            let Some(received) = self.frontend.receive(frames_max)? else { break };
            self.admit(received);
        }
        Ok(())
    }

    fn admit(&mut self, Received { frames: message, key, .. }: Received) {
        let passage = self.hops.policy.enter();
        if !self.frontend.lets_in(key.as_deref()) {
            return passage.dropped(Reason::KeyRemoved);
        }
        let (envelope, body) = match Envelope::split(message) {
            None => {
                tracing::debug!("request without a body");
                return passage.dropped(Reason::Malformed);
            }
            Some((_, body)) if body.len() > self.settings.frames_max => {
                tracing::debug!(frames_max = self.settings.frames_max, "request with more frames than allowed");
                return passage.dropped(Reason::TooLarge);
            }
            Some(split) => split,
        };
        let number = passage.number();
        let job = Job { number, key, message: envelope.join(body) };
        match socket::send(&self.backend, &job.into_frames(), zmq::DONTWAIT) {
            Ok(()) => drop(self.in_flight.insert(number, passage)),
            Err(error) => {
                tracing::error!(%error, number, "handing a request to the backend");
                passage.dropped(Reason::SendFailed);
            }
        }
    }

    /// Backend → schedule.
    fn collect_notes(&mut self) -> zmq::Result<()> {
        for _ in 0..BATCH {
            let Some(frames) = socket::receive_now(&self.backend, usize::MAX)? else {
                break;
            };
            match Note::from_frames(frames) {
                Some(Note::Reply { delay_ms, origin, message }) => {
                    let due = Instant::now() + Duration::from_millis(delay_ms);
                    self.scheduled_bytes += bytes(&message);
                    self.schedule.add(due, Waiting { message, origin, passage: self.hops.schedule.enter() });
                }
                Some(Note::End { number, verdict }) => match (self.in_flight.remove(&number), verdict) {
                    (Some(passage), Ok(())) => passage.out(),
                    (Some(passage), Err(reason)) => passage.dropped(reason),
                    (None, _) => tracing::error!(number, "end of an unknown request"),
                },
                None => tracing::error!("unreadable note from a worker"),
            }
        }
        Ok(())
    }

    /// Schedule → frontend.
    fn send_due(&mut self) {
        self.outbox.retry(self.frontend.socket());
        let now = Instant::now();
        for waiting in std::iter::from_fn(|| self.schedule.take_due(now)).take(BATCH) {
            self.scheduled_bytes -= bytes(&waiting.message);
            waiting.passage.out();
            let due = Due { message: waiting.message, origin: waiting.origin, passage: self.hops.reply.enter() };
            if let Next::CutOff(identity) = self.outbox.send(self.frontend.socket(), due) {
                self.frontend.cut_off(&identity);
            }
        }
    }
}

fn bytes(message: &Frames) -> usize {
    message.iter().map(Vec::len).sum()
}

fn open_backend(context: &zmq::Context) -> Result<zmq::Socket, String> {
    let socket = context.socket(zmq::DEALER).map_err(socket::cause)?;
    // As for the workers' sockets: few requests wait behind a slow call.
    socket.set_sndhwm(1).map_err(socket::cause)?;
    socket.set_linger(0).map_err(socket::cause)?;
    socket::bind(&socket, BACKEND)?;
    Ok(socket)
}

fn open_control(context: &zmq::Context) -> Result<zmq::Socket, String> {
    let socket = context.socket(zmq::PULL).map_err(socket::cause)?;
    socket::bind(&socket, broker_control::ENDPOINT)?;
    Ok(socket)
}
