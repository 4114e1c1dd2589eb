//! The broker loop: moves messages between the frontend and the core, runs the calls that the core starts, and gives
//! the core the time.

use super::Settings;
use super::control::BrokerControl;
use super::core::{Action, BATCH, BrokerCore, RETRY, Sent, Start};
use super::frontend::Frontend;
use super::policy::Policy;
use super::running_calls::RunningCalls;
use super::tap::Tap;
use crate::flow::bell::Bell;
use crate::log_limit::LogLimit;
use crate::messaging::socket;
use crate::messaging::socket::statistics::SocketStatistics;
use crate::record::dead_letters::DeadLetters;
use std::collections::VecDeque;
use std::future::Future;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long clients have to receive what was sent to them, once the loop has ended.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// All that the broker's thread owns.
pub(super) struct BrokerLoop {
    core: BrokerCore,
    frontend: Frontend,
    policy: Policy,
    /// Where whoever watches sees the replies.
    tap: Tap,
    calls: RunningCalls,
    /// The runtime in which calls run, or continue, that do not end on the loop's thread.
    runtime: Handle,
    control: Arc<BrokerControl>,
    /// Rings when a command has come or a call has ended.
    bell: Bell,
    dead_letters: DeadLetters,
    failure_log_limit: LogLimit,
    /// The last field: dropping it waits until its sockets are closed, which takes as long as the linger for clients.
    _context: zmq::Context,
}

/// What a loop is made of, apart from its sockets.
pub(super) struct Parts {
    pub(super) core: BrokerCore,
    pub(super) policy: Policy,
    pub(super) tap: Tap,
    pub(super) runtime: Handle,
    pub(super) control: Arc<BrokerControl>,
    pub(super) statistics: Arc<SocketStatistics>,
    pub(super) dead_letters: DeadLetters,
}

impl BrokerLoop {
    /// Opens the frontend. Also returns its endpoint with its real port.
    ///
    /// # Errors
    /// When the frontend cannot be opened, or the system gives no pipe; says why.
    pub(super) fn open(settings: &Settings, parts: Parts) -> Result<(Self, String), String> {
        let Parts { core, policy, tap, runtime, control, statistics, dead_letters } = parts;
        let context = zmq::Context::new();
        let (frontend, endpoint) = Frontend::open(&context, settings, statistics)?;
        let this = Self {
            core,
            frontend,
            policy,
            tap,
            calls: RunningCalls::new(runtime.clone(), settings.messaging.workers),
            runtime,
            control,
            bell: Bell::new().map_err(|error| format!("making a pipe: {error}"))?,
            dead_letters,
            failure_log_limit: LogLimit::default(),
            _context: context,
        };
        Ok((this, endpoint))
    }

    /// Runs until it was commanded to end and has ended.
    ///
    /// # Errors
    /// When it ends before that.
    pub(super) fn run(mut self) -> Result<(), String> {
        let runtime = self.runtime.clone();
        let _inside = runtime.enter();
        while !self.core.has_ended(Instant::now()) {
            match self.turn() {
                Ok(()) => {}
                Err(error @ zmq::Error::ETERM) => return Err(socket::cause(error)),
                // Whatever one peer does, the traffic of the others goes on.
                Err(error) => {
                    if let Some(times) = self.failure_log_limit.note(Instant::now()) {
                        tracing::error!(%error, times, "a socket of the broker failed; it goes on");
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
        let (requests, replies) = self.core.left();
        if requests + replies > 0 {
            tracing::warn!(requests, replies, "abandoned at the end of the grace period");
        }
        self.calls.give_up();
        let linger = self.core.grace_left(Instant::now()).min(LINGER_MAX);
        let linger_ms = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
        if let Err(error) = self.frontend.socket().set_linger(linger_ms) {
            tracing::warn!(%error, linger_ms, "setting the linger of ROUTER");
        }
        Ok(())
    }

    /// Waits until there is work, and does a bounded part of it in each direction.
    fn turn(&mut self) -> zmq::Result<()> {
        let wait = if self.may_sleep() { self.wait() } else { Duration::ZERO };
        let frontend_events = if self.core.reads() { zmq::POLLIN } else { zmq::PollEvents::empty() };
        let [frontend, connections] = self.frontend.as_poll_items(frontend_events);
        let bell = zmq::PollItem::from_fd(self.bell.as_raw_fd(), zmq::POLLIN);
        let mut items = [bell, frontend, connections];
        socket::poll(&mut items, Some(wait))?;
        let [bell, frontend, connections] = items.map(|item| item.is_readable());

        if bell && let Err(error) = self.bell.silence() {
            tracing::error!(%error, "silencing the bell of the broker");
        }
        self.take_commands_and_ended_calls();
        let now = Instant::now();
        self.core.pass_time(now);
        self.core.drop_lost(now, |identity| self.frontend.has(identity));
        self.act();
        if frontend {
            self.read_requests()?;
        }
        self.run_calls();
        self.act();
        if connections || self.frontend.is_due() {
            self.frontend.maintain()?;
        }
        self.control.gauges.set(self.core.progress(Instant::now()));
        Ok(())
    }

    /// Whether there is no work until the bell rings, a request comes in, or something is due.
    fn may_sleep(&self) -> bool {
        let waker = self.bell.waker();
        !self.core.can_start_call() && self.calls.may_sleep(waker) && self.control.commands.may_sleep(waker)
    }

    /// How long until something is due, if nothing comes in before.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let due = self.core.due(now).into_iter().fold(self.frontend.due(now), Instant::min);
        due.saturating_duration_since(now)
    }

    fn take_commands_and_ended_calls(&mut self) {
        let mut commands = VecDeque::new();
        self.control.commands.take_all(&mut commands);
        for (command, _room) in commands {
            self.core.command(command);
        }
        for (ended, _room) in self.calls.take_ended() {
            self.core.call_ended(ended);
        }
    }

    /// Performs the core's actions, until there are no more.
    fn act(&mut self) {
        while let Some(action) = self.core.next_action() {
            match action {
                Action::Send(reply) => {
                    let sent = self.frontend.send(reply);
                    if matches!(sent, Sent::Out) {
                        self.tap.see_reply(reply);
                    }
                    self.core.sent(sent);
                }
                Action::CutOff(identity) => self.frontend.cut_off(&identity),
                Action::WriteDeadLetter(letter) => self.dead_letters.write(*letter),
            }
        }
    }

    fn read_requests(&mut self) -> zmq::Result<()> {
        let frames_max = self.core.frames_read();
        for _ in 0..BATCH {
            let Some(received) = self.frontend.receive(frames_max)? else { break };
            let is_let_in = self.frontend.lets_in(received.key.as_deref());
            self.core.receive(received.frames, received.key, is_let_in);
            if !self.core.has_room() {
                break;
            }
        }
        Ok(())
    }

    /// Starts the calls that may start.
    fn run_calls(&mut self) {
        let mut spent = Duration::ZERO;
        while let Some(start) = self.core.next_call(spent) {
            let call = match start {
                Start::OnLoopThread(call) => {
                    let mut call = self.policy.call(call);
                    if let Poll::Ready(ended) = Pin::new(&mut call).poll(&mut Context::from_waker(Waker::noop())) {
                        spent += ended.took;
                        self.core.call_ended(ended);
                        continue;
                    }
                    self.core.call_goes_on();
                    call
                }
                Start::InRuntime(call) => self.policy.call(call),
            };
            self.calls.spawn(call);
        }
    }
}

impl Drop for BrokerLoop {
    fn drop(&mut self) {
        self.control.commands.close();
    }
}
