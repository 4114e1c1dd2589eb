//! One call of a plugin that serves nobody: what came of it, and what it took, for its author.

use super::instances::IdleInstances;
use super::loaded::Plugin;
use super::role::Role;
use crate::plugin::call::{CallError, CallNumber};
use crate::plugin::run::call_log::KeptLog;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Under a seed its randomness is that of the first message of a host.
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

impl<T> SingleCall<T> {
    /// The same call, with another form of what came out.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> SingleCall<U> {
        let Self { result, time, memory_bytes } = self;
        SingleCall { result: result.map(form), time, memory_bytes }
    }
}

impl Plugin {
    /// Keeps what it writes to the log in the call of this number.
    pub fn keep_log(&self, number: CallNumber) -> KeptLog {
        self.sandbox.plugin_state.call_logs.keep(number)
    }

    /// Calls a role as it is called for the message of this number.
    ///
    /// # Errors
    /// When the plugin lacks the role, or the call does not end well within its bounds.
    pub async fn call_for_nobody<R: Role>(
        self: &Arc<Self>,
        input: R::In,
        number: CallNumber,
    ) -> Result<R::Out, CallError> {
        self.call::<R>(input, number, Arc::default(), ()).await
    }

    /// Calls a role, under the bounds of any call.
    pub async fn call_once<R: Role>(self: &Arc<Self>, input: R::In) -> SingleCall<R::Out> {
        let idle = Arc::new(IdleInstances::default());
        let began = Instant::now();
        let result = self.call::<R>(input, NUMBER, Arc::clone(&idle), ()).await;
        SingleCall { result, time: began.elapsed(), memory_bytes: idle.warm.memory.bytes() }
    }
}
