//! What other threads share with the loop of a pool: the messages for it, the commands, and what is counted.

use super::core::{NewJob, WorkerId};
use super::counts::PoolCounts;
use crate::config::{self, LOG_LIMIT_INTERVAL_MS, QueueBounds};
use crate::flow::PoolStatus;
use crate::flow::mailbox::{Mailbox, PushError};
use crate::log_limit::LogLimit;
use crate::messaging::socket::statistics::SocketStatistics;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many commands may wait for the loop, which takes all of them whenever it wakes up.
const COMMANDS_MAX: usize = 100;

/// A command to the loop of a pool.
pub(super) enum PoolCommand {
    /// Tell of the workers.
    List(oneshot::Sender<PoolStatus>),
    /// Let a worker go; tell whether there is such a one.
    Drain(WorkerId, oneshot::Sender<bool>),
    /// Finish by this time, and end.
    End(Instant),
}

/// One pool, as all its threads know it.
pub(super) struct PoolControl {
    pub(super) name: String,
    pub(super) config: config::WorkerPool,
    pub(super) jobs: Mailbox<NewJob>,
    pub(super) commands: Mailbox<PoolCommand>,
    pub(super) counts: Arc<PoolCounts>,
    pub(super) statistics: Arc<SocketStatistics>,
    pub(super) log_limit: Mutex<LogLimit<&'static str>>,
    /// How many messages may wait for workers or be with them, and their bytes.
    pub(super) queue: QueueBounds,
}

impl PoolControl {
    pub(super) fn new(
        name: String,
        config: config::WorkerPool,
        queue: QueueBounds,
        statistics: SocketStatistics,
    ) -> Self {
        Self {
            name,
            config,
            jobs: Mailbox::new(queue.messages_max, queue.bytes_max),
            commands: Mailbox::new(COMMANDS_MAX, usize::MAX),
            counts: Arc::default(),
            statistics: Arc::new(statistics),
            log_limit: Mutex::new(LogLimit::new(1, Duration::from_millis(LOG_LIMIT_INTERVAL_MS))),
            queue,
        }
    }

    /// The name alone, as the configuration has it and as workers name the service.
    pub(super) fn service(&self) -> &str {
        config::pool_of(&self.name).unwrap_or(&self.name)
    }

    /// Leaves a command.
    ///
    /// # Errors
    /// When the pool has ended, or has not taken earlier commands.
    pub(super) fn command(&self, command: PoolCommand) -> Result<(), String> {
        self.commands.push(0, || command).map_err(|error| match error {
            PushError::Closed => format!("{} has ended", self.name),
            PushError::TooManyItems | PushError::TooManyBytes => format!("{}: as many commands wait as may", self.name),
        })
    }
}
