//! Calls of a plugin that serves nobody: what came of them, and what they took, for its author.

use super::instances::IdleInstances;
use super::loaded::Plugin;
use super::role::Role;
use crate::plugin::call::{CallError, CallNumber};
use crate::plugin::run::call_durations::{CallDurations, DurationCounts};
use crate::plugin::run::call_log::KeptLog;
use crate::plugin::run::deterministic_random::{CallSeed, Draws};
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

/// A plugin that is called on many inputs and serves nobody, in instances that are used again as those of a host are: what a
/// call begins in is the state of a new instance. Whatever plugin it is made of, its calls have no network, and take nothing of
/// what the one that serves may take: see [`Plugin::for_rehearsal`].
pub struct Rehearsal {
    plugin: Arc<Plugin>,
    idle: Arc<IdleInstances>,
    durations: CallDurations,
}

impl Rehearsal {
    /// With no instance so far. Threads that call the same plugin do not share how often it is held; they share its part of the
    /// processor if it was made for a rehearsal before.
    pub fn new(plugin: &Plugin) -> Self {
        Self { plugin: Arc::new(plugin.for_rehearsal()), idle: Arc::default(), durations: CallDurations::default() }
    }

    /// What is called.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// Calls a role, under the bounds of any call, with the randomness and the clocks of the call that `call_seed` names.
    ///
    /// # Errors
    /// When the plugin lacks the role, or the call does not end well within its bounds.
    pub(crate) async fn call<R: Role>(&self, input: R::In, call_seed: CallSeed) -> Result<R::Out, CallError> {
        let began = Instant::now();
        let result = self.plugin.call::<R>(input, Draws::As(call_seed), Arc::clone(&self.idle), ()).await;
        self.durations.observe(began.elapsed());
        result
    }

    /// How long its calls took, from the making of an instance to the last byte that was copied out of it.
    pub fn durations(&self) -> DurationCounts {
        self.durations.read()
    }

    /// The most that the memories of one instance had together.
    pub fn memory_bytes(&self) -> usize {
        self.idle.warm.memory.bytes()
    }
}
