//! The broker loop: moves requests from the frontend to the backend, and replies, each at its time, back.

use super::broker::{Hops, Settings};
use super::envelope::{Envelope, Frames};
use super::exchange::{BACKEND, Job, Note};
use super::gate::Gate;
use super::schedule::Schedule;
use super::socket::{self, Received};
use crate::ledger::{Passage, Reason};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Where the loop hears that it is to drain: one frame, the grace in milliseconds as a big-endian number of 8 bytes.
pub(super) const CONTROL: &str = "inproc://control";

/// How many messages move in one direction before the other has its turn.
const BATCH: usize = 100;

/// How long a client has to take what it was sent, once the loop has ended.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// All that the broker's thread owns.
pub(super) struct BrokerLoop {
    frontend: zmq::Socket,
    /// Ends with the loop, before the context does.
    _gate: Option<Gate>,
    backend: zmq::Socket,
    control: zmq::Socket,
    frames_max: usize,
    queue_messages_max: usize,
    hops: Hops,
    /// The requests that are at a worker or on the way there, by number.
    in_flight: HashMap<u64, Passage>,
    schedule: Schedule<Waiting>,
    /// The end of the grace period, once told to drain.
    deadline: Option<Instant>,
}

/// A reply that waits for its time.
struct Waiting {
    message: Frames,
    passage: Passage,
}

impl BrokerLoop {
    /// Opens the loop's sockets. Returns the frontend's endpoint with its real port too.
    pub(super) fn open(context: &zmq::Context, settings: &Settings, hops: Hops) -> Result<(Self, String), String> {
        // Before the frontend is bound, or its first clients would find nobody to ask.
        let gate = settings.curve.as_ref().map(|curve| curve.guard(context)).transpose()?;
        let (frontend, endpoint) = open_frontend(context, settings)?;
        let this = Self {
            frontend,
            _gate: gate,
            backend: open_backend(context).map_err(|cause| format!("binding DEALER to {BACKEND}: {cause}"))?,
            control: open_control(context).map_err(|cause| format!("binding PULL to {CONTROL}: {cause}"))?,
            frames_max: settings.frames_max,
            queue_messages_max: settings.queue_messages_max,
            hops,
            in_flight: HashMap::new(),
            schedule: Schedule::new(),
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
        if let Err(error) = self.frontend.set_linger(linger_ms) {
            tracing::warn!(%error, linger_ms, "setting the linger of ROUTER");
        }
    }

    /// Whether the loop was told to drain, and nothing more can be sent within its grace period.
    fn drained(&self) -> bool {
        self.deadline.is_some_and(|deadline| {
            let nothing_falls_due = self.schedule.next_due().is_none_or(|due| due > deadline);
            Instant::now() >= deadline || (self.in_flight.is_empty() && nothing_falls_due)
        })
    }

    /// Waits until something can be done, and does a bounded part of it in each direction.
    fn turn(&mut self) -> zmq::Result<()> {
        // A request is read only where it can go on at once and its replies have room. While the backend is full, wait
        // for that to change; otherwise do not, for it would be ready all the time.
        let reading = self.deadline.is_none() && self.schedule.len() < self.queue_messages_max;
        let writable = self.backend.get_events()?.contains(zmq::POLLOUT);
        let (frontend_events, backend_events) = match (reading, writable) {
            (true, true) => (zmq::POLLIN, zmq::POLLIN),
            (true, false) => (zmq::PollEvents::empty(), zmq::POLLIN | zmq::POLLOUT),
            (false, _) => (zmq::PollEvents::empty(), zmq::POLLIN),
        };
        let mut items = [
            self.control.as_poll_item(zmq::POLLIN),
            self.backend.as_poll_item(backend_events),
            self.frontend.as_poll_item(frontend_events),
        ];
        socket::poll(&mut items, self.wait())?;
        let [control, backend, frontend] = items.map(|item| item.is_readable());

        if control {
            self.hear_control()?;
        }
        if backend {
            self.collect_notes()?;
        }
        self.send_due();
        if frontend {
            self.forward_requests()?;
        }
        Ok(())
    }

    /// How long nothing is to be done, if nothing comes in; none for ever.
    fn wait(&self) -> Option<Duration> {
        let next = self.schedule.next_due().into_iter().chain(self.deadline).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn hear_control(&mut self) -> zmq::Result<()> {
        if let Some(frames) = socket::receive_now(&self.control, 1)? {
            let grace_ms = frames.concat().try_into().map_or(0, u64::from_be_bytes);
            let now = Instant::now();
            self.deadline = now.checked_add(Duration::from_millis(grace_ms)).or(Some(now));
        }
        Ok(())
    }

    /// Frontend → backend.
    fn forward_requests(&mut self) -> zmq::Result<()> {
        for _ in 0..BATCH {
            if !self.backend.get_events()?.contains(zmq::POLLOUT) {
                break;
            }
            // Identity, delimiter, and one frame over the bound to tell that it is over.
            let Some(received) = socket::receive_from(&self.frontend, self.frames_max.saturating_add(3))? else {
                break;
            };
            self.admit(received);
        }
        Ok(())
    }

    fn admit(&mut self, Received { frames: message, key }: Received) {
        let passage = self.hops.policy.enter();
        let (envelope, body) = match Envelope::split(message) {
            None => {
                tracing::debug!("request without a body");
                return passage.dropped(Reason::Malformed);
            }
            Some((_, body)) if body.len() > self.frames_max => {
                tracing::debug!(frames_max = self.frames_max, "request with more frames than allowed");
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
                Some(Note::Reply { delay_ms, message }) => {
                    let due = Instant::now() + Duration::from_millis(delay_ms);
                    self.schedule.add(due, Waiting { message, passage: self.hops.schedule.enter() });
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
        let now = Instant::now();
        for waiting in std::iter::from_fn(|| self.schedule.take_due(now)).take(BATCH) {
            waiting.passage.out();
            let passage = self.hops.reply.enter();
            // ROUTER_MANDATORY makes an error of what libzmq would drop unseen.
            match socket::send(&self.frontend, &waiting.message, zmq::DONTWAIT) {
                Ok(()) => passage.out(),
                Err(zmq::Error::EHOSTUNREACH) => passage.dropped(Reason::Unroutable),
                Err(zmq::Error::EAGAIN) => passage.dropped(Reason::ClientFull),
                Err(error) => {
                    tracing::warn!(%error, "sending a reply");
                    passage.dropped(Reason::SendFailed);
                }
            }
        }
    }
}

fn open_frontend(context: &zmq::Context, settings: &Settings) -> Result<(zmq::Socket, String), String> {
    let mut socket = context.socket(zmq::ROUTER).map_err(socket::cause)?;
    if let Some(curve) = &settings.curve {
        curve.protect(&mut socket)?;
    }
    let set_options = || -> zmq::Result<()> {
        socket.set_router_mandatory(true)?;
        // A client that came back is served, although its old connection may not have ended yet.
        socket.set_router_handover(true)?;
        socket.set_maxmsgsize(i64::try_from(settings.frame_bytes_max).unwrap_or(i64::MAX))?;
        socket.set_rcvhwm(socket::hwm(settings.queue_messages_max))?;
        socket.set_sndhwm(socket::hwm(settings.queue_messages_max))?;
        socket.set_linger(0)
    };
    set_options().map_err(socket::cause)?;
    let endpoint = socket::bind(&socket, &settings.endpoint)?;
    Ok((socket, endpoint))
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
    socket::bind(&socket, CONTROL)?;
    Ok(socket)
}
