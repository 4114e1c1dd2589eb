//! The broker loop: moves requests from the frontend to the backend, and replies, each at its time, back.

use super::client_shares::Share;
use super::control::{self, BrokerControl, BrokerState, Command};
use super::dispatch::Dispatch;
use super::envelope::{Envelope, NoRequest};
use super::exchange::{Done, Job, Replies, reply_bytes};
use super::frontend::Frontend;
use super::outbox::{Due, Next, Outbound, Outbox};
use super::waiting_replies::{Waiting, WaitingReplies};
use super::{Hops, Settings};
use crate::complaint::Complaint;
use crate::ledger::Reason;
use crate::messaging::socket::figures::SocketFigures;
use crate::messaging::socket::reading::{Obstacle, Reading};
use crate::messaging::socket::{self, Received};
use crate::plugin::Reply;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How many messages move in one direction before the other has its turn.
const BATCH: usize = 100;

/// How often a reply that found no room is tried again: libzmq does not tell when a client of a ROUTER has some.
const RETRY: Duration = Duration::from_millis(5);

/// How long a client has to take what it was sent, once the loop has ended.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// All that the broker's thread owns.
pub(super) struct BrokerLoop {
    frontend: Frontend,
    commands: zmq::Socket,
    control: Arc<BrokerControl>,
    settings: Settings,
    hops: Hops,
    dispatch: Dispatch,
    /// Where the policy's calls run.
    runtime: Handle,
    waiting: WaitingReplies,
    outbox: Outbox,
    reading: Reading,
    /// The end of the grace period, once told to end.
    deadline: Option<Instant>,
    failures: Complaint,
}

/// What a loop is made of, beside its sockets.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) hops: Hops,
    pub(super) control: Arc<BrokerControl>,
    pub(super) figures: Arc<SocketFigures>,
    pub(super) dispatch: Dispatch,
    pub(super) runtime: Handle,
}

impl BrokerLoop {
    /// Opens the loop's sockets. Returns the frontend's endpoint with its real port too.
    pub(super) fn open(context: &zmq::Context, parts: Parts) -> Result<(Self, String), String> {
        let Parts { settings, hops, control, figures, dispatch, runtime } = parts;
        let (frontend, endpoint) = Frontend::open(context, &settings, Arc::clone(&figures))?;
        let commands =
            open_control(context).map_err(|cause| format!("binding PULL to {}: {cause}", control::ENDPOINT))?;
        let this = Self {
            frontend,
            commands,
            control,
            dispatch,
            runtime,
            waiting: WaitingReplies::new(
                Share { replies: settings.queue_messages_max, bytes: settings.queue_bytes_max },
                Instant::now(),
            ),
            outbox: Outbox::new(settings.on_full, figures, hops.dead_letters.clone()),
            reading: Reading::default(),
            settings,
            hops,
            deadline: None,
            failures: Complaint::default(),
        };
        Ok((this, endpoint))
    }

    /// Runs until it was told to drain and has.
    pub(super) fn run(mut self) {
        let runtime = self.runtime.clone();
        let _inside = runtime.enter();
        while !self.drained() {
            match self.turn() {
                Ok(()) => {}
                // Somebody has ended it.
                Err(zmq::Error::ETERM) => {
                    tracing::error!("broker ends");
                    break;
                }
                // Nothing that a peer does may end the others' traffic.
                Err(error) => {
                    if let Some(times) = self.failures.note(Instant::now()) {
                        tracing::error!(%error, times, "a socket of the broker failed; it goes on");
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
        let (requests, replies) = (self.dispatch.in_flight(), self.waiting.len());
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
            let nothing_falls_due = self.waiting.next_due().is_none_or(|due| due > deadline);
            let nothing_left = self.dispatch.in_flight() == 0 && self.outbox.len() == 0 && nothing_falls_due;
            Instant::now() >= deadline || nothing_left
        })
    }

    /// Whether requests are read: only where they can go on, and their replies have room.
    fn reads(&self) -> bool {
        self.deadline.is_none()
            && self.control.gauges.state() == BrokerState::Running
            && self.dispatch.has_room()
            && self.obstacle().is_none()
    }

    /// What keeps requests from being read though nobody has said so.
    fn obstacle(&self) -> Option<Obstacle> {
        if self.waiting.is_full() {
            Some(Obstacle::ScheduleFull)
        } else {
            // Replies are held only where the policy is that everybody waits.
            (self.outbox.len() > 0).then_some(Obstacle::ClientFull)
        }
    }

    /// Waits until something can be done, and does a bounded part of it in each direction.
    fn turn(&mut self) -> zmq::Result<()> {
        let wait = if self.dispatch.may_rest() { self.wait() } else { Duration::ZERO };
        let frontend_events = if self.reads() { zmq::POLLIN } else { zmq::PollEvents::empty() };
        let [frontend, connections] = self.frontend.as_poll_items(frontend_events);
        let commands = self.commands.as_poll_item(zmq::POLLIN);
        let mut items = [commands, self.dispatch.as_poll_item(), frontend, connections];
        socket::poll(&mut items, Some(wait))?;
        let [command, bell_rang, frontend, connections] = items.map(|item| item.is_readable());

        if command {
            self.hear_command()?;
        }
        self.dispatch.collect(bell_rang);
        self.answer();
        self.send_due();
        self.drop_lost();
        if frontend {
            self.read_requests()?;
        }
        self.dispatch.serve();
        self.answer();
        if connections || self.frontend.is_due() {
            self.frontend.attend()?;
        }
        self.tell();
        Ok(())
    }

    /// How long nothing is to be done, if nothing comes in.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let retry = (self.outbox.len() > 0).then(|| now + RETRY);
        // Nothing is told of it any more once the loop is to end.
        let reading = self.reading.due().filter(|_| self.deadline.is_none());
        let times = [self.waiting.next_due(), self.waiting.look_due(), reading, self.deadline, retry];
        let times = times.into_iter().flatten();
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
    fn tell(&mut self) {
        let gauges = &self.control.gauges;
        let obstacle = self.obstacle();
        let is_news = obstacle.is_some() || self.reading.is_hindered();
        if is_news
            && self.deadline.is_none()
            && let Some(obstacle) = self.reading.note(obstacle, Instant::now())
        {
            gauges.set_obstacle(obstacle);
        }
        gauges.requests_in_flight.store(self.dispatch.in_flight() as u64, Ordering::Relaxed);
        gauges.replies_scheduled.store(self.waiting.len() as u64, Ordering::Relaxed);
        gauges.replies_held.store(self.outbox.len() as u64, Ordering::Relaxed);
        let done = self.dispatch.in_flight() == 0 && self.waiting.len() + self.outbox.len() == 0;
        if done && gauges.state() == BrokerState::Draining {
            self.change_state(BrokerState::Drained);
        }
    }

    /// Frontend → backend.
    fn read_requests(&mut self) -> zmq::Result<()> {
        for _ in 0..BATCH {
            let frames_max = Envelope::frames_read(self.settings.frames_max);
            let Some(received) = self.frontend.receive(frames_max)? else { break };
            self.admit(received);
            if !self.dispatch.has_room() {
                break;
            }
        }
        Ok(())
    }

    fn admit(&mut self, Received { frames: message, key, .. }: Received) {
        let (passage, number) = self.hops.policy.enter_numbered();
        if !self.frontend.lets_in(key.as_deref()) {
            return passage.dropped(Reason::KeyRemoved);
        }
        let Settings { envelope: kind, frames_max, .. } = self.settings;
        match Envelope::split(message, kind, frames_max) {
            Ok((envelope, body)) => self.dispatch.submit(Job { passage, number, key, envelope, body }),
            Err(NoRequest::NoBody) => {
                tracing::debug!("request without a body");
                passage.dropped(Reason::NoBody);
            }
            Err(NoRequest::TooManyFrames) => {
                tracing::debug!(frames_max, "request with more frames than allowed");
                passage.dropped(Reason::TooLarge);
            }
        }
    }

    /// Policy → schedule, or → frontend at once.
    fn answer(&mut self) {
        while let Some(Done { passage, envelope, verdict, .. }) = self.dispatch.take_done() {
            match verdict {
                Ok(replies) => {
                    self.schedule(envelope, replies);
                    passage.out();
                }
                Err(reason) => passage.dropped(reason),
            }
        }
    }

    fn schedule(&mut self, envelope: Envelope, Replies { origin, replies, held }: Replies) {
        let delayed = delayed(&envelope, &replies);
        let admits = delayed.replies == 0 || self.waiting.admits(&envelope.identity, delayed, Instant::now());
        let mut delay = Duration::ZERO;
        let (mut left, mut held) = (replies.len(), Some(held));
        let ways_back = std::iter::repeat_n((envelope, origin), replies.len());
        for (reply, (envelope, origin)) in replies.into_iter().zip(ways_back) {
            // A reply waits for the one before it, the first one from now on.
            delay += Duration::from_millis(reply.delay_ms.into());
            left -= 1;
            let bytes = reply_bytes(&envelope, &reply);
            let held = if left == 0 { held.take() } else { held.as_mut().map(|held| held.split(bytes)) };
            let reply = Outbound { envelope, frames: reply.frames, origin, held };
            if !admits {
                // None of them: what a policy answers is whole or not at all.
                let cause = "as many replies wait for the client as may".to_owned();
                self.outbox.give_up(reply, self.hops.schedule.enter(), Reason::TooManyWaiting, cause);
                continue;
            }
            if delay.is_zero() {
                self.hops.schedule.pass();
                self.send(reply);
                continue;
            }
            self.waiting.add(Instant::now() + delay, Waiting { reply, passage: self.hops.schedule.enter() });
        }
    }

    /// Schedule → frontend.
    fn send_due(&mut self) {
        self.outbox.retry(self.frontend.socket());
        if self.waiting.len() == 0 {
            return;
        }
        let now = Instant::now();
        for _ in 0..BATCH {
            let Some(Waiting { reply, passage }) = self.waiting.take_due(now) else { return };
            passage.out();
            self.send(reply);
        }
    }

    /// Gives up what waits for clients that have gone, where room is short.
    fn drop_lost(&mut self) {
        if self.waiting.look_due().is_none() {
            return;
        }
        for Waiting { reply, passage } in self.waiting.take_lost(Instant::now(), |identity| self.frontend.has(identity))
        {
            passage.out();
            let cause = socket::cause(zmq::Error::EHOSTUNREACH);
            self.outbox.give_up(reply, self.hops.reply.enter(), Reason::Unroutable, cause);
        }
    }

    fn send(&mut self, reply: Outbound) {
        let due = Due { reply, passage: self.hops.reply.enter() };
        if let Next::CutOff(identity) = self.outbox.send(self.frontend.socket(), due) {
            self.frontend.cut_off(&identity);
        }
    }
}

/// What is not to be sent at once.
fn delayed(envelope: &Envelope, replies: &[Reply]) -> Share {
    let replies = replies.iter().skip_while(|reply| reply.delay_ms == 0);
    replies.fold(Share::default(), |share, reply| share.plus(Share { replies: 1, bytes: reply_bytes(envelope, reply) }))
}

fn open_control(context: &zmq::Context) -> Result<zmq::Socket, String> {
    let socket = context.socket(zmq::PULL).map_err(socket::cause)?;
    socket::bind(&socket, control::ENDPOINT)?;
    Ok(socket)
}
