//! One call of a plugin that serves nobody: what came of it, and what it took, for its author.

use super::loaded::Plugin;
use super::v0_1_0::Idle;
use crate::plugin::call::{CallError, CallNumber, Message, Reply, Request};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Under a seed its chance is that of the first message of a host.
const NUMBER: CallNumber = CallNumber::Message(1);

/// A call that is over.
#[derive(Debug)]
pub struct SingleCall<T> {
    /// What came out.
    pub result: Result<T, CallError>,
    /// From the making of the instance to the last byte that was copied out of it.
    pub time: Duration,
    /// The most that its memories had together.
    pub memory_bytes: usize,
}

impl Plugin {
    /// Calls the role `transform`, under the bounds of any call.
    pub async fn transform_once(self: &Arc<Self>, message: Message) -> SingleCall<Option<Message>> {
        let idle = Arc::new(Idle::default());
        let call = self.transform(Arc::new(message.into()), NUMBER, Arc::clone(&idle), ());
        SingleCall::of(call, &idle).await
    }

    /// Calls the role `reply-policy`, likewise.
    pub async fn replies_once(self: &Arc<Self>, request: Request) -> SingleCall<Vec<Reply>> {
        let idle = Arc::new(Idle::default());
        let call = self.replies(Arc::new(request.into()), NUMBER, Arc::clone(&idle), ());
        SingleCall::of(call, &idle).await
    }
}

impl<T> SingleCall<T> {
    async fn of(call: impl Future<Output = Result<T, CallError>>, idle: &Idle) -> Self {
        let began = Instant::now();
        let result = call.await;
        Self { result, time: began.elapsed(), memory_bytes: idle.warm.memory.bytes() }
    }
}
