//! Dispatch: who asks the policy for each request, the broker loop itself or a worker, and what has come of it.

use super::backend::{Backend, Bell};
use super::exchange::{Done, Job};
use super::pace::Pace;
use super::policy::Policy;
use super::policy::Task;
use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

/// How many requests with a policy of short calls are in flight beside those that workers have.
const SHORT_CALLS_MAX: usize = 100;

/// For how long the loop itself asks the policy before it sends what was answered and looks after the rest. Replies that
/// are sent together wake libzmq's thread once, and go through the system in few calls.
const SERVE_MAX: Duration = Duration::from_micros(200);

/// Threads of a broker that have work at the same time, its workers apart: the loop and libzmq's own.
const BUSY_THREADS: usize = 2;

/// Belongs to the broker's thread.
pub(super) struct Dispatch {
    backend: Arc<Backend>,
    bell: Bell,
    policy: Policy,
    pace: Pace,
    workers: usize,
    /// The most workers that help with short calls: no more than there are processors left for them.
    helpers_max: usize,
    /// Requests that have no end yet, or one that nobody has taken note of.
    in_flight: usize,
    /// What their bodies take in memory.
    in_flight_bytes: usize,
    in_flight_bytes_max: usize,
    done: VecDeque<Done>,
}

impl Dispatch {
    pub(super) fn new(
        backend: Arc<Backend>,
        bell: Bell,
        policy: Policy,
        workers: usize,
        in_flight_bytes_max: usize,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let helpers_max = processors.saturating_sub(BUSY_THREADS);
        Self {
            backend,
            bell,
            policy,
            pace: Pace::new(),
            workers,
            helpers_max,
            in_flight: 0,
            in_flight_bytes: 0,
            in_flight_bytes_max,
            done: VecDeque::new(),
        }
    }

    /// Requests that were submitted, and of which the end was not taken.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether one more request may come: one for each worker and one that waits for it, so that few wait here; and some
    /// more of those that are done in no time. And only if what it may return has room too.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight < 2 * self.workers + if self.pace.is_short() { SHORT_CALLS_MAX } else { 0 }
            && self.in_flight_bytes < self.in_flight_bytes_max
            && self.backend.has_room()
    }

    pub(super) fn submit(&mut self, job: Job) {
        self.in_flight += 1;
        self.in_flight_bytes += job.bytes();
        self.backend.submit(job);
    }

    /// Ready when workers have done something, if the loop [rests](Self::may_rest).
    pub(super) fn as_poll_item(&self) -> zmq::PollItem<'_> {
        zmq::PollItem::from_fd(self.bell.as_raw_fd(), zmq::POLLIN)
    }

    /// Whether there is nothing to do here, until the bell rings or requests come.
    pub(super) fn may_rest(&self) -> bool {
        // Room that became free while nobody looked is one more reason to look.
        let is_needed = if self.pace.is_short() { self.backend.needs_stand_in() } else { self.backend.needs_worker() };
        !is_needed && self.backend.lie_down()
    }

    /// After a wait: takes in what workers have done.
    pub(super) fn collect(&mut self, bell_rang: bool) {
        if bell_rang && let Err(error) = self.bell.hear() {
            tracing::error!(%error, "hearing of what workers have done");
        }
        let known = self.done.len();
        self.backend.collect(&mut self.done);
        self.done.iter().skip(known).for_each(|done| self.pace.note(done.took));
    }

    /// Has the policy asked for the requests that wait: at the workers, and here for a while, where a wake-up would take
    /// longer than the call.
    pub(super) fn serve(&mut self) {
        let workers = self.pace.workers_for(self.backend.len());
        self.backend.muster(if self.pace.is_short() { workers.min(self.helpers_max) } else { workers });
        let mut spent = Duration::ZERO;
        while self.pace.is_short()
            && spent < SERVE_MAX
            && let Some(task) = self.backend.take_as_stand_in()
        {
            let asked = match task {
                Task::Begin(job, held) => self.policy.ask(job, held),
                Task::GoOn(call) => Err(call),
            };
            match asked {
                Ok(done) => {
                    spent += done.took;
                    self.pace.note(done.took);
                    self.done.push_back(done);
                }
                // It waits for something, or has used up its tick.
                Err(call) => {
                    self.pace.note(Duration::MAX);
                    self.backend.submit_begun(call);
                }
            }
        }
        if !self.pace.is_short() {
            // What waits does not wait for the loop any more.
            self.backend.muster(self.backend.len());
        }
    }

    /// The end of a request.
    pub(super) fn take_done(&mut self) -> Option<Done> {
        let done = self.done.pop_front()?;
        self.in_flight -= 1;
        self.in_flight_bytes -= done.request_bytes;
        Some(done)
    }
}
