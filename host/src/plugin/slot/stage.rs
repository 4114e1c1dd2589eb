//! A plugin as a stage of a flow, in one of its roles.

use super::{Slot, traced};
use crate::buckets::CallBuckets;
use crate::config::LOG_LINE_BYTES_MAX;
use crate::flow::{Failed, Failure, Message, Outputs, Processed, Stage};
use crate::plugin::call::{Answer, CallError, CallNumber, request_id};
use crate::plugin::roles::stage_role::StageRole;
use crate::plugin::run::plugin_state::shortened;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Whatever a slot holds, in one role.
pub struct PluginStage<R> {
    slot: Arc<Slot>,
    role: PhantomData<fn() -> R>,
}

impl<R> PluginStage<R> {
    /// Of this slot.
    pub fn new(slot: Arc<Slot>) -> Self {
        Self { slot, role: PhantomData }
    }
}

impl<R: StageRole> Stage for PluginStage<R> {
    fn name(&self) -> &str {
        self.slot.name()
    }

    fn process(&self, mut message: Message, number: u64) -> BoxFuture<'static, Processed> {
        let slot = Arc::clone(&self.slot);
        let panics = is_asked_to_panic(&message);
        Box::pin(async move {
            let (trace, buckets) = (std::mem::take(&mut message.trace), std::mem::take(&mut message.buckets));
            let span = slot.span_of_call::<R>(request_id(&message.metadata), &trace);
            traced::tell(&mut message.metadata, &span);
            let input = slot.input::<R>(message);
            // A panic is the host's fault, and must not keep other messages from being served.
            let called = AssertUnwindSafe(call::<R>(&slot, &input, (number, buckets), panics)).catch_unwind().await;
            let Answer { by, result } = called.unwrap_or_else(|_| {
                tracing::error!(plugin = slot.name(), request_id = input.request_id(), "calling a plugin panicked");
                Answer { by: None, result: Err(CallError::Panicked) }
            });
            let result = result.map_err(Failure::from);
            traced::end(span, by.as_deref(), result.as_ref().err());
            let result = match result {
                Ok(mut outputs) => {
                    outputs.iter_mut().for_each(|output| output.message.trace.clone_from(&trace));
                    Ok(outputs)
                }
                Err(failure) => Err(Failed { failure, input: input.into_message() }),
            };
            Processed { by, result }
        })
    }
}

impl Slot {
    /// Logs what is wrong with what a call returned, which shows only to who makes a response of it.
    pub(crate) fn log_no_response(&self, error: &str, request_id: &str) {
        if self.plugin_state().admit_failure() {
            let error = shortened(error, LOG_LINE_BYTES_MAX);
            tracing::warn!(plugin = self.name(), request_id, ?error, "what the plugin returned is no response");
        }
    }
}

async fn call<R: StageRole>(
    slot: &Slot,
    input: &R::In,
    (number, buckets): (u64, CallBuckets),
    panics: bool,
) -> Answer<Outputs> {
    assert!(!panics, "a message asked for it, and TIDEGATE_FAULTS=1 allows it");
    slot.call_with::<R>(input.clone(), input.request_id(), CallNumber::Message(number), buckets).await
}

/// A fault to try the host with, in debug builds alone: a message that asks for a panic of its call gets it, if the
/// environment allows for that.
fn is_asked_to_panic(message: &Message) -> bool {
    cfg!(debug_assertions)
        && message.frames.last().is_some_and(|frame| frame == "tidegate-fault-panic")
        && std::env::var_os("TIDEGATE_FAULTS").is_some_and(|value| value == "1")
}
