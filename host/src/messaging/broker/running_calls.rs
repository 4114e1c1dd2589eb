//! Calls of the policy that run in the runtime: their results come back through a mailbox.

use super::core::Ended;
use super::policy::PolicyCall;
use crate::flow::mailbox::{Mailbox, Room};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Belongs to the broker's thread.
pub(super) struct RunningCalls {
    runtime: Handle,
    tasks: JoinSet<()>,
    ends: Arc<Mailbox<Ended>>,
}

impl RunningCalls {
    /// For at most `workers` calls at a time, so that the mailbox has room for the result of each.
    pub(super) fn new(runtime: Handle, workers: usize) -> Self {
        Self { runtime, tasks: JoinSet::new(), ends: Arc::new(Mailbox::new(workers, usize::MAX)) }
    }

    /// Starts or continues a call in the runtime.
    pub(super) fn spawn(&mut self, call: PolicyCall) {
        let ends = Arc::clone(&self.ends);
        let task = async move {
            let ended = call.await;
            if let Err(error) = ends.push(0, || ended) {
                tracing::error!(?error, "telling of a call's end");
            }
        };
        self.tasks.spawn_on(task, &self.runtime);
    }

    /// Whether no call has ended since the last [`Self::take_ended`]. If so, the next one to end wakes the waker.
    pub(super) fn may_sleep(&self, waker: &Waker) -> bool {
        self.ends.may_sleep(waker)
    }

    /// The calls that have ended since the last time.
    pub(super) fn take_ended(&mut self) -> VecDeque<(Ended, Room)> {
        let mut ended = VecDeque::new();
        self.ends.take_all(&mut ended);
        while self.tasks.try_join_next().is_some() {}
        ended
    }

    /// Aborts all calls, and waits until they have ended.
    pub(super) fn give_up(&mut self) {
        self.runtime.block_on(self.tasks.shutdown());
    }
}
