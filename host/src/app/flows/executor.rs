//! The runtime, for what flows have running beside their own tasks.

use crate::flow::Executor;
use futures_util::future::BoxFuture;
use std::time::Duration;
use tokio::runtime::Handle;

pub(super) struct TokioExecutor(pub(super) Handle);

impl Executor for TokioExecutor {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
