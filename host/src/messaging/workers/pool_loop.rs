//! The loop of a pool: moves messages between the socket and the core, and gives the core the time.

use super::PoolSettings;
use super::control::{PoolCommand, PoolControl};
use super::core::{self, Action, Ended, PoolCore};
use super::pool_socket::PoolSocket;
use crate::flow::bell::Bell;
use crate::ledger::Hop;
use crate::log_limit::LogLimit;
use crate::messaging::socket::{self, BindError};
use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many messages are read before others have their turn.
const BATCH: usize = 256;
/// The loop waits for so long after libzmq has failed.
const RETRY: Duration = Duration::from_millis(5);
/// How long workers have to receive that they are to go, once the loop has ended.
const LINGER_MAX: Duration = Duration::from_millis(500);

/// All that the pool's thread owns.
pub(super) struct PoolLoop {
    core: PoolCore,
    socket: PoolSocket,
    is_rep: bool,
    control: Arc<PoolControl>,
    /// Rings when a message or a command has come.
    bell: Bell,
    log_limit: LogLimit,
    /// The last field: dropping it waits until its sockets are closed, which takes as long as the linger for workers.
    _context: zmq::Context,
}

impl PoolLoop {
    /// Binds the socket. Also returns its endpoints, with real ports.
    ///
    /// # Errors
    /// When the socket cannot be opened, or the system gives no pipe; says why.
    pub(super) fn open(
        settings: &PoolSettings,
        control: Arc<PoolControl>,
        answers: Arc<Hop>,
    ) -> Result<(Self, Vec<String>), BindError> {
        let context = zmq::Context::new();
        let (socket, endpoints) = PoolSocket::open(&context, settings, Arc::clone(&control.statistics))?;
        let bell = Bell::new().map_err(|error| format!("making a pipe: {error}"));
        let bell = bell.map_err(|cause| settings.not_bound(settings.config.bind.first(), cause))?;
        let now = Instant::now();
        let core_settings = core::CoreSettings::new(control.service(), &settings.config, control.queue.bytes_max);
        let mut core = PoolCore::new(core_settings, answers, Arc::clone(&control.counts), now);
        let is_rep = settings.is_rep();
        if is_rep {
            core.set_rep_workers(0, now);
        }
        Ok((Self { core, socket, is_rep, control, bell, log_limit: LogLimit::default(), _context: context }, endpoints))
    }

    /// Runs until it was told to end and has ended.
    ///
    /// # Errors
    /// When it ends before that.
    pub(super) fn run(mut self) -> Result<(), String> {
        while !self.core.has_ended(Instant::now()) {
            match self.turn() {
                Ok(()) => {}
                Err(error @ zmq::Error::ETERM) => return Err(socket::cause(error)),
                // Whatever one worker does, the others go on.
                Err(error) => {
                    if let Some(times) = self.log_limit.note(Instant::now()) {
                        tracing::error!(%error, times, surface = self.control.name, "the socket of a pool failed; it goes on");
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
        self.core.dismiss_all();
        self.act(Instant::now());
        self.socket.set_linger(LINGER_MAX);
        Ok(())
    }

    /// Waits until there is work, and does a bounded part of it in each direction.
    fn turn(&mut self) -> zmq::Result<()> {
        let waker = self.bell.waker();
        let may_sleep = self.control.jobs.may_sleep(waker) && self.control.commands.may_sleep(waker);
        let wait = if may_sleep { self.wait() } else { Duration::ZERO };
        let [socket, connections] = self.socket.as_poll_items();
        let mut items = [zmq::PollItem::from_fd(self.bell.as_raw_fd(), zmq::POLLIN), socket, connections];
        socket::poll(&mut items, Some(wait))?;
        let [bell, readable, connections] = items.map(|item| item.is_readable());

        if bell && let Err(error) = self.bell.silence() {
            tracing::error!(%error, "silencing the bell of a pool");
        }
        let now = Instant::now();
        let mut ended = if connections { self.socket.ended()? } else { Vec::new() };
        // What came by a connection before it ended, counts.
        let read = if readable || connections { self.read(&mut ended, now) } else { Ok(()) };
        ended.into_iter().for_each(|ended| self.core.gone(ended, now));
        if connections && self.is_rep {
            self.core.set_rep_workers(self.socket.peer_count(), now);
        }
        read?;
        self.take_commands(now);
        self.take_jobs(now);
        self.core.pass_time(now);
        // Not before all is read: a worker may have said that it goes behind its answer.
        self.core.assign(now);
        self.act(now);
        self.socket.maintain(now);
        self.core.report();
        Ok(())
    }

    /// How long until something is due, if nothing comes in before.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        self.core.due().min(self.socket.due(now)).saturating_duration_since(now)
    }

    fn read(&mut self, ended: &mut Vec<Ended>, now: Instant) -> zmq::Result<()> {
        for _ in 0..BATCH {
            let Some(incoming) = self.socket.receive()? else { break };
            let from = &incoming.from;
            if self.socket.is_ending(from.connection) || (!self.is_rep && !self.core.knows(from)) {
                // A new connection may have the descriptor of one that has ended, which is to be known before.
                ended.extend(self.socket.ended()?);
                ended
                    .extract_if(.., |ended| ended.connection == from.connection)
                    .for_each(|ended| self.core.gone(ended, now));
                if self.socket.is_ending(from.connection) {
                    continue;
                }
                if !self.is_rep {
                    self.socket.note(from);
                }
            }
            self.core.receive(incoming, now);
        }
        Ok(())
    }

    fn take_commands(&mut self, now: Instant) {
        let mut commands = VecDeque::new();
        self.control.commands.take_all(&mut commands);
        for (command, _room) in commands {
            match command {
                PoolCommand::List(reply) => {
                    // Whoever asked may have gone.
                    let mut status = self.core.status(|connection| self.socket.address(connection), now);
                    if self.is_rep {
                        status.workers = self.socket.rep_workers();
                    }
                    let _ = reply.send(status);
                }
                PoolCommand::Drain(worker, reply) => {
                    let _ = reply.send(self.core.drain(worker));
                }
                PoolCommand::End(deadline) => self.core.end(deadline),
            }
        }
    }

    fn take_jobs(&mut self, now: Instant) {
        let mut jobs = VecDeque::new();
        self.control.jobs.take_all(&mut jobs);
        for (job, room) in jobs {
            self.core.submit(job, room, now);
        }
    }

    /// Performs the core's actions, until there are no more.
    fn act(&mut self, now: Instant) {
        while let Some(action) = self.core.next_action() {
            match action {
                Action::Send { to, frames, of } => {
                    if let Err(why) = self.socket.send(&to, &frames)
                        && let Some(of) = of
                    {
                        self.core.not_sent(of, why.0, now);
                    }
                }
                Action::CutOff(connection, identity, why) => {
                    // Of a peer that has gone already, the end was told; its number may be another one's.
                    if self.socket.cut_off(connection, &identity, why) {
                        self.core.gone(Ended { connection, sent_too_much: false }, now);
                    }
                }
            }
        }
    }
}

impl Drop for PoolLoop {
    fn drop(&mut self) {
        self.control.commands.close();
        self.control.jobs.close();
        // Whoever waits for an answer learns that there will be none.
        let mut jobs = VecDeque::new();
        self.control.jobs.take_all(&mut jobs);
    }
}
