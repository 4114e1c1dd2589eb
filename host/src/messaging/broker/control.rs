//! What can be asked of a running broker: pause, resume, drain, and how it does.

use crate::messaging::socket;
use crate::messaging::socket::reading::Obstacle;
use serde::Serialize;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the broker loop hears what it is told.
pub(super) const ENDPOINT: &str = "inproc://control";

/// What a broker does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokerState {
    /// It reads and answers them.
    Running,
    /// It reads none; they wait in its frontend. What was read before goes on.
    Paused,
    /// It reads none, and what was read before is not yet done.
    Draining,
    /// It reads none, and all that was read before is done.
    Drained,
}

const STATES: [BrokerState; 4] =
    [BrokerState::Running, BrokerState::Paused, BrokerState::Draining, BrokerState::Drained];

/// What the loop is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Pause,
    Resume,
    Drain,
    /// To finish within so long, and end.
    End(Duration),
}

impl Command {
    fn into_frames(self) -> Vec<Vec<u8>> {
        let word: &[u8] = match self {
            Self::Pause => b"pause",
            Self::Resume => b"resume",
            Self::Drain => b"drain",
            Self::End(grace) => {
                let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
                return vec![b"end".to_vec(), grace_ms.to_be_bytes().to_vec()];
            }
        };
        vec![word.to_vec()]
    }

    pub(super) fn from_frames(frames: &[Vec<u8>]) -> Option<Self> {
        match frames {
            [word] if word == b"pause" => Some(Self::Pause),
            [word] if word == b"resume" => Some(Self::Resume),
            [word] if word == b"drain" => Some(Self::Drain),
            [word, grace_ms] if word == b"end" => {
                let grace_ms = u64::from_be_bytes(grace_ms.as_slice().try_into().ok()?);
                Some(Self::End(Duration::from_millis(grace_ms)))
            }
            _ => None,
        }
    }
}

/// What the loop tells of itself.
#[derive(Debug, Default)]
pub(super) struct BrokerGauges {
    state: AtomicU8,
    pub(super) requests_in_flight: AtomicU64,
    pub(super) replies_scheduled: AtomicU64,
    pub(super) replies_held: AtomicU64,
    /// An [`Obstacle`], or 0.
    obstacle: AtomicU8,
}

impl BrokerGauges {
    pub(super) fn state(&self) -> BrokerState {
        STATES[usize::from(self.state.load(Ordering::Relaxed)) % STATES.len()]
    }

    pub(super) fn set_obstacle(&self, obstacle: Option<Obstacle>) {
        self.obstacle.store(obstacle.map_or(0, |obstacle| obstacle as u8), Ordering::Relaxed);
    }

    pub(super) fn set_state(&self, state: BrokerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

/// How a broker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BrokerStatus {
    /// What it does with requests.
    pub state: BrokerState,
    /// Calls of the policy at the same time.
    pub workers: usize,
    /// Requests that are read and not yet answered.
    pub requests_in_flight: u64,
    /// Replies that wait for their time.
    pub replies_scheduled: u64,
    /// Replies that wait for their client to have room.
    pub replies_held: u64,
}

/// The handle through which others tell the loop what to do.
pub struct BrokerControl {
    /// None once the broker ends: libzmq has freed it then.
    context: Mutex<Option<zmq::Context>>,
    pub(super) gauges: BrokerGauges,
    workers: usize,
}

impl BrokerControl {
    pub(super) fn new(context: zmq::Context, workers: usize) -> Self {
        Self { context: Mutex::new(Some(context)), gauges: BrokerGauges::default(), workers }
    }

    /// How the broker does.
    pub fn status(&self) -> BrokerStatus {
        let BrokerGauges { requests_in_flight, replies_scheduled, replies_held, .. } = &self.gauges;
        let read = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        BrokerStatus {
            state: self.gauges.state(),
            workers: self.workers,
            requests_in_flight: read(requests_in_flight),
            replies_scheduled: read(replies_scheduled),
            replies_held: read(replies_held),
        }
    }

    /// Why it reads no requests although nobody has told it so; none where it reads, or has paused for less than a second.
    pub fn obstacle(&self) -> Option<&'static str> {
        Obstacle::from_u8(self.gauges.obstacle.load(Ordering::Relaxed)).map(Obstacle::as_str)
    }

    /// Makes the broker read no requests until it is resumed. Replies that fall due are sent.
    ///
    /// # Errors
    /// When the broker ends.
    pub fn pause(&self) -> Result<(), String> {
        self.tell(Command::Pause)
    }

    /// Makes the broker read requests again.
    ///
    /// # Errors
    /// When the broker ends.
    pub fn resume(&self) -> Result<(), String> {
        self.tell(Command::Resume)
    }

    /// As [`BrokerControl::pause`]; the state then tells when all that was read before is done.
    ///
    /// # Errors
    /// When the broker ends.
    pub fn drain(&self) -> Result<(), String> {
        self.tell(Command::Drain)
    }

    /// Makes the loop finish by `deadline`, and end.
    pub(super) fn end(&self, deadline: Instant) -> Result<(), String> {
        self.tell(Command::End(deadline.saturating_duration_since(Instant::now())))
    }

    /// The context, of which nobody else makes sockets any more.
    pub(super) fn take_context(&self) -> Option<zmq::Context> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Through a socket that belongs to this thread.
    fn tell(&self, command: Command) -> Result<(), String> {
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let context = context.as_ref().ok_or("the broker has ended")?;
        let control = context.socket(zmq::PUSH).map_err(socket::cause)?;
        socket::connect(&control, ENDPOINT)?;
        socket::send(&control, &command.into_frames(), 0).map_err(socket::cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_arrives_as_it_was_sent() {
        for command in [Command::Pause, Command::Resume, Command::Drain, Command::End(Duration::from_millis(300))] {
            assert_eq!(Command::from_frames(&command.into_frames()), Some(command));
        }
        for frames in [vec![], vec![b"end".to_vec()], vec![b"end".to_vec(), b"x".to_vec()], vec![b"run".to_vec()]] {
            assert_eq!(Command::from_frames(&frames), None);
        }
    }
}
