//! A pool as a surface of the host, and as the operator sees it.

use super::WorkerPool;
use super::control::PoolCommand;
use crate::flow::mailbox::PushError;
use crate::flow::{Health, PeerList, Pool, PoolStatus, Side, State, Statistics, Surface};
use crate::ledger::Reason;
use futures_util::future::BoxFuture;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often the command to end is tried again while the queue of commands is full.
const RETRY: Duration = Duration::from_millis(1);

impl Surface for WorkerPool {
    fn name(&self) -> &str {
        &self.control.name
    }

    fn endpoint(&self) -> String {
        self.endpoints.join(" ")
    }

    fn side(&self) -> Side {
        // It outlives all that may wait for an answer.
        Side::Sink
    }

    fn pool(&self) -> Option<&dyn Pool> {
        Some(self)
    }

    fn peers(&self) -> Option<PeerList> {
        Some(self.control.statistics.peer_list())
    }

    fn health(&self) -> Health {
        let (name, workers_min, workers) =
            (&self.control.name, self.control.config.workers_min, self.control.counts.workers());
        let obstacle =
            (workers < workers_min).then(|| format!("{name} has {workers} workers of workers_min {workers_min}"));
        Health { state: State::Running, obstacle }
    }

    fn statistics(&self, statistics: &mut Statistics) {
        self.control.statistics.add_to(statistics, self.name());
        self.control.counts.add_to(statistics, self.name());
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        self.control.jobs.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let control = Arc::clone(&self.control);
        let end = move |thread: JoinHandle<()>| {
            let command = || PoolCommand::End(deadline);
            while control.commands.push(0, command) == Err(PushError::TooManyItems) {
                thread::sleep(RETRY);
            }
            // The supervisor has reported a panic.
            let _ = thread.join();
        };
        let ended = thread.map(|thread| tokio::task::spawn_blocking(move || end(thread)));
        Box::pin(async move {
            if let Some(ended) = ended {
                let _ = ended.await;
            }
            self.hops.messages.figures().dropped(Reason::Abandoned)
        })
    }
}

impl Pool for WorkerPool {
    fn list(&self) -> BoxFuture<'static, Result<PoolStatus, String>> {
        let (name, endpoints) = (self.control.service().to_owned(), self.endpoints.clone());
        let asked = self.ask(PoolCommand::List);
        Box::pin(async move { Ok(PoolStatus { name, endpoints, ..asked.await? }) })
    }

    fn drain(&self, worker: u64) -> BoxFuture<'static, Result<bool, String>> {
        self.ask(|reply| PoolCommand::Drain(worker, reply))
    }
}

impl WorkerPool {
    fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> PoolCommand,
    ) -> BoxFuture<'static, Result<T, String>> {
        let (reply, answer) = oneshot::channel();
        let asked = self.control.command(command(reply));
        let name = self.control.name.clone();
        Box::pin(async move {
            asked?;
            answer.await.map_err(|_| format!("{name} has ended"))
        })
    }
}
