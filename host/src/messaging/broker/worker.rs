//! A worker: takes one request at a time from the backend, asks the policy, and hands its answer to the broker loop.

use super::backend::Backend;
use super::exchange::Done;
use super::policy::Policy;
use super::policy::Task;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// What every worker of a broker works with. A worker keeps nothing between requests.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) backend: Arc<Backend>,
    pub(super) policy: Policy,
    /// Where the policy's calls run.
    pub(super) runtime: Handle,
    /// Gives up the calls that are in flight.
    pub(super) give_up: CancellationToken,
}

impl Worker {
    /// Works until the backend ends.
    pub(super) fn run(&self) {
        let _inside = self.runtime.enter();
        while let Some(task) = self.backend.take() {
            self.backend.finish(self.serve(task));
        }
    }

    fn serve(&self, task: Task) -> Done {
        let begun = match task {
            Task::Begin(job, held) => self.policy.ask(job, held),
            Task::GoOn(call) => Err(call),
        };
        begun.unwrap_or_else(|call| self.runtime.block_on(self.policy.wait_for(call, self.give_up.cancelled())))
    }
}
