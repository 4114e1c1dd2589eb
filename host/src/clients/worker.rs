//! The worker: makes any program one of the workers of a host's pool, by Majordomo 0.2.

mod command;
mod core;
mod majordomo;
mod settings;
mod worker_loop;
mod workers;

pub use self::core::Tally;
pub use command::CommandSettings;
pub use settings::WorkerSettings;
pub use workers::Workers;

use crate::flow::bell::Bell;
use crate::messaging::socket;
use crate::system::supervisor::Supervisor;
use std::sync::mpsc;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use worker_loop::{Notice, WorkerLoop};

/// How long a command that nobody waits for any more may take to end.
const END_WAIT: Duration = Duration::from_secs(6);

/// The worker could not start: what failed, on what, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorkerError(String);

/// The handle of a running worker. Dropped, it leaves the worker to itself.
struct Worker {
    notices: mpsc::Sender<Notice>,
    ringer: Waker,
    command: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread that owns the socket, and what runs the command, on the runtime that this is called in. The receiver
    /// gets the tally when the worker has ended: because of [`Self::stop`], because the host sent it away, or because it
    /// could not go on, and why.
    ///
    /// # Errors
    /// When there is no such command, or the system gives no thread or pipe.
    fn start(settings: WorkerSettings) -> Result<(Self, oneshot::Receiver<Result<Tally, String>>), WorkerError> {
        settings.command.look_up().map_err(WorkerError)?;
        let bell = Bell::new().map_err(|error| WorkerError(format!("making a pipe: {error}")))?;
        let ringer = bell.waker().clone();
        // There is one job at a time.
        let (jobs, of_command) = tokio::sync::mpsc::channel(1);
        // And at most two outcomes for each, and a stop.
        let (notices, taken) = mpsc::channel();
        let (command, tell, ring) = (settings.command.clone(), notices.clone(), ringer.clone());
        let command = tokio::spawn(command::run(command, of_command, move |outcome| {
            // The loop may have ended.
            let _ = tell.send(Notice::Outcome(outcome));
            ring.wake_by_ref();
        }));
        let (ended, tally) = oneshot::channel();
        let open = move || Ok((WorkerLoop::new(settings, jobs, taken, bell), ()));
        let run = |worker: WorkerLoop| {
            // This fails if nobody waits for the tally any more.
            let _ = ended.send(worker.run());
            Ok(())
        };
        socket::spawn_owner((&Supervisor::default(), "worker"), open, run).map_err(WorkerError)?;
        Ok((Self { notices, ringer, command }, tally))
    }

    /// Makes the worker answer what it has, and end.
    fn stop(&self) {
        let _ = self.notices.send(Notice::Stop);
        self.ringer.wake_by_ref();
    }

    /// Whether the command has ended.
    fn has_ended(&self) -> bool {
        self.command.is_finished()
    }

    /// Waits until the command has ended, once the worker has; one that does not end is killed.
    async fn end(&mut self) {
        if !self.has_ended() && timeout(END_WAIT, &mut self.command).await.is_err() {
            self.kill().await;
        }
    }

    /// Kills the command.
    async fn kill(&mut self) {
        if !self.has_ended() {
            self.command.abort();
            let _ = (&mut self.command).await;
        }
    }
}
