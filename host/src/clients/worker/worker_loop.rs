//! The loop of a worker: its thread owns the socket, does what the core decides, and passes messages on to the command.

use super::WorkerSettings;
use super::command::{Job, Outcome};
use super::core::{Action, CoreSettings, News, Tally, WorkerCore};
use super::majordomo::FRAMES_MAX;
use crate::clients::handshake::{Handshakes, ReportedFailures};
use crate::flow::bell::Bell;
use crate::messaging::socket;
use crate::system::output::{note, try_print};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::AsRawFd;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How many commands of the host are taken in before other things have their turn.
const BATCH: usize = 100;
/// The most bytes of one frame that a host may send.
const FRAME_BYTES_MAX: i64 = 256 << 20;
/// How long what was sent last may take to leave.
const LINGER_MS: i32 = 5_000;

/// What others tell the loop.
#[derive(Debug)]
pub(super) enum Notice {
    /// The command has done something: one for each job, and one for an end that nobody asked for.
    Outcome(Outcome),
    /// The user wants an end.
    Stop,
}

/// All that the thread owns.
pub(super) struct WorkerLoop {
    settings: WorkerSettings,
    core: WorkerCore,
    context: zmq::Context,
    connection: Option<Connection>,
    /// How many sockets there were, for names that are unique.
    opened: u64,
    reported: Arc<ReportedFailures>,
    jobs: tokio::sync::mpsc::Sender<Job>,
    notices: mpsc::Receiver<Notice>,
    bell: Bell,
}

struct Connection {
    socket: zmq::Socket,
    handshakes: Handshakes,
}

impl WorkerLoop {
    pub(super) fn new(
        settings: WorkerSettings,
        jobs: tokio::sync::mpsc::Sender<Job>,
        notices: mpsc::Receiver<Notice>,
        bell: Bell,
    ) -> Self {
        let core = CoreSettings {
            service: settings.service.clone(),
            heartbeat: settings.heartbeat,
            end_on_disconnect: settings.end_on_disconnect,
            // The standard library seeds its hash maps from the system's randomness.
            seed: RandomState::new().build_hasher().finish(),
        };
        Self {
            core: WorkerCore::new(core, Instant::now()),
            settings,
            context: zmq::Context::new(),
            connection: None,
            opened: 0,
            reported: Arc::default(),
            jobs,
            notices,
            bell,
        }
    }

    /// Works until the core has nothing more to do.
    ///
    /// # Errors
    /// When the socket cannot be opened or read.
    pub(super) fn run(mut self) -> Result<Tally, String> {
        loop {
            // What has come counts before the time that has passed: a process that was stopped for a while may have all of
            // the host's heartbeats still before it.
            let now = Instant::now();
            self.receive(now)
                .map_err(|error| format!("receiving from {}: {}", self.settings.endpoint, socket::cause(error)))?;
            self.take_notices(now);
            self.core.tick(now);
            let (did_something, ended) = self.act()?;
            if ended {
                return Ok(self.core.tally());
            }
            if !did_something {
                self.wait().map_err(|error| format!("waiting for messages: {}", socket::cause(error)))?;
            }
        }
    }

    fn receive(&mut self, now: Instant) -> zmq::Result<()> {
        let Some(Connection { socket, handshakes }) = &mut self.connection else { return Ok(()) };
        handshakes.maintain(socket)?;
        for _ in 0..BATCH {
            let Some(frames) = socket::receive_now(socket, FRAMES_MAX + 1)? else { break };
            self.core.receive(frames, now);
        }
        Ok(())
    }

    fn take_notices(&mut self, now: Instant) {
        while let Ok(notice) = self.notices.try_recv() {
            match notice {
                Notice::Outcome(Outcome::Prepared) => self.core.prepared(),
                Notice::Outcome(Outcome::Answered(answer)) => self.core.answered(answer, now),
                Notice::Outcome(Outcome::Failed(why)) => self.core.failed(why, now),
                Notice::Stop => self.core.stop(now),
            }
        }
    }

    /// Returns whether there was something to do, and whether that was the end.
    fn act(&mut self) -> Result<(bool, bool), String> {
        let actions = self.core.actions();
        let did_something = !actions.is_empty();
        let mut ended = false;
        for action in actions {
            match action {
                Action::Open => self.open()?,
                Action::Send(frames) => self.send(&frames),
                Action::Close { flush } => self.close(flush),
                Action::Prepare => self.give(Job::Prepare),
                Action::Run(message) => self.give(Job::Answer(message)),
                Action::Tell(news) => self.tell(&news),
                Action::End => ended = true,
            }
        }
        Ok((did_something, ended))
    }

    fn open(&mut self) -> Result<(), String> {
        self.opened += 1;
        let connection = self.connect();
        let failed = |cause| format!("connecting DEALER to {}: {cause}", self.settings.endpoint);
        self.connection = Some(connection.map_err(failed)?);
        // The name of a host may have taken its time.
        self.core.opened(Instant::now());
        Ok(())
    }

    fn connect(&self) -> Result<Connection, String> {
        let WorkerSettings { endpoint, keys, .. } = &self.settings;
        let socket = self.context.socket(zmq::DEALER).map_err(socket::cause)?;
        socket.set_maxmsgsize(FRAME_BYTES_MAX).map_err(socket::cause)?;
        let (name, endpoints) = (format!("worker-{}", self.opened), [endpoint.clone()]);
        let reported = Arc::clone(&self.reported);
        let mut handshakes = Handshakes::watch(&self.context, &socket, &name, &endpoints, keys.as_ref(), reported)?;
        handshakes.connect(&socket, endpoint)?;
        Ok(Connection { socket, handshakes })
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        // A command that was decided on before the socket took no more.
        let Some(Connection { socket, .. }) = &self.connection else { return };
        if socket::send(socket, frames, zmq::DONTWAIT).is_err() {
            self.core.cut_off(Instant::now());
        }
    }

    fn close(&mut self, flush: bool) {
        if let Some(Connection { socket, .. }) = self.connection.take() {
            // A socket that takes no option is closed like any other.
            let _ = socket.set_linger(if flush { LINGER_MS } else { 0 });
        }
    }

    /// There is room: the command has done its last job before it gets the next one.
    fn give(&self, job: Job) {
        let _ = self.jobs.try_send(job);
    }

    fn tell(&self, news: &News) {
        let WorkerSettings { endpoint, service, .. } = &self.settings;
        match news {
            // It works, whether somebody reads that or not.
            News::Ready { again: false } => drop(try_print(format!("worker of {service} at {endpoint}\n"))),
            News::Ready { again: true } => note(format_args!("worker of {service} at {endpoint} again")),
            News::Lost { loss, pause } => {
                note(format_args!("the host at {endpoint}: {loss}; trying again, first in {}", seconds(*pause)));
            }
            News::Failed { why, pause } => {
                note(format_args!("the command gets no messages for {}: {why}", seconds(*pause)));
            }
            News::Malformed => {
                note(format_args!(
                    "what comes from {endpoint} is none of the commands of Majordomo 0.2: it is ignored"
                ));
            }
        }
    }

    /// Waits until something comes or is due.
    fn wait(&self) -> zmq::Result<()> {
        let due = self.core.next().map(|next| next.saturating_duration_since(Instant::now()));
        let mut items = vec![zmq::PollItem::from_fd(self.bell.as_raw_fd(), zmq::POLLIN)];
        let mut again = None;
        if let Some(Connection { socket, handshakes }) = &self.connection {
            items.extend([socket.as_poll_item(zmq::POLLIN), handshakes.as_poll_item()]);
            again = handshakes.wait();
        }
        socket::poll(&mut items, due.into_iter().chain(again).min())?;
        if items[0].is_readable() {
            // If the pipe cannot be read, it stays readable, and the notices are taken all the same.
            let _ = self.bell.silence();
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}
