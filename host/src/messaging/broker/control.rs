//! The control of a running broker: the commands to pause, resume, drain and end it, and its status.

use super::core::{BrokerCommand, Progress};
use crate::flow::mailbox::{Mailbox, PushError};
use crate::flow::{Command, State, Status};
use crate::messaging::socket::reading::Obstacle;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many commands may wait for the loop, which takes all of them whenever it wakes up.
const COMMANDS_MAX: usize = 100;

/// How often the command to end is tried again while the queue of commands is full.
const RETRY: Duration = Duration::from_millis(1);

const STATES: [State; 4] = [State::Running, State::Paused, State::Draining, State::Drained];

/// The state of the loop, as it was at the end of its last turn.
#[derive(Debug, Default)]
pub(super) struct BrokerGauges {
    state: AtomicU8,
    requests_in_flight: AtomicUsize,
    replies_scheduled: AtomicUsize,
    replies_held: AtomicUsize,
    /// An [`Obstacle`], or 0.
    obstacle: AtomicU8,
}

impl BrokerGauges {
    pub(super) fn set(&self, progress: Progress) {
        let Progress { state, requests_in_flight, replies_scheduled, replies_held, obstacle } = progress;
        self.state.store(state as u8, Ordering::Relaxed);
        self.requests_in_flight.store(requests_in_flight, Ordering::Relaxed);
        self.replies_scheduled.store(replies_scheduled, Ordering::Relaxed);
        self.replies_held.store(replies_held, Ordering::Relaxed);
        self.obstacle.store(obstacle.map_or(0, |obstacle| obstacle as u8), Ordering::Relaxed);
    }
}

/// The handle by which other threads command the loop and read its status.
pub struct BrokerControl {
    /// Closed when the broker has ended.
    pub(super) commands: Mailbox<BrokerCommand>,
    pub(super) gauges: BrokerGauges,
    workers: usize,
}

impl BrokerControl {
    pub(super) fn new(workers: usize) -> Self {
        Self { commands: Mailbox::new(COMMANDS_MAX, usize::MAX), gauges: BrokerGauges::default(), workers }
    }

    /// The status of the broker: its workers, how many requests are read and not yet answered, how many replies wait
    /// for their delay, and how many for room at their client.
    pub fn status(&self) -> Status {
        let BrokerGauges { requests_in_flight, replies_scheduled, replies_held, .. } = &self.gauges;
        let read = |gauge: &AtomicUsize| gauge.load(Ordering::Relaxed) as u64;
        let counts = BTreeMap::from([
            ("workers", self.workers as u64),
            ("requests_in_flight", read(requests_in_flight)),
            ("replies_scheduled", read(replies_scheduled)),
            ("replies_held", read(replies_held)),
        ]);
        Status { state: self.state(), counts }
    }

    /// Whether it reads requests.
    pub fn state(&self) -> State {
        STATES[usize::from(self.gauges.state.load(Ordering::Relaxed)) % STATES.len()]
    }

    /// What keeps it from reading requests although it runs; none if it reads, or has been kept for less than a second.
    pub fn obstacle(&self) -> Option<&'static str> {
        Obstacle::from_u8(self.gauges.obstacle.load(Ordering::Relaxed)).map(Obstacle::as_str)
    }

    /// Makes the loop finish by `deadline`, and end. Does nothing if it has ended already.
    pub(super) fn end(&self, deadline: Instant) {
        while self.commands.push(0, || BrokerCommand::End(deadline)) == Err(PushError::TooManyItems) {
            thread::sleep(RETRY);
        }
    }

    /// Sends the loop a command.
    ///
    /// # Errors
    /// When the broker has ended, or has not taken earlier commands, so that the queue is full.
    pub fn command(&self, command: Command) -> Result<(), String> {
        self.commands.push(0, || BrokerCommand::Surface(command)).map_err(|error| match error {
            PushError::Closed => "the broker has ended".to_owned(),
            PushError::TooManyItems | PushError::TooManyBytes => "as many commands wait as may".to_owned(),
        })
    }
}
