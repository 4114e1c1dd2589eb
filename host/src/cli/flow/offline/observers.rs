//! What stands around a flow that runs offline: sinks that keep what they get, and stages that keep what fails.

use crate::flow::{
    Executor, Failed, Failure, Fault, Lost, LostMessages, Message, OfferError, Processed, Receipt, Reserved, ServedBy,
    Sink, Stage,
};
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;
use tokio::sync::Notify;

/// A sink that has room for everything: what goes in is bounded by who puts it in, and what comes of it by the flow.
pub(in crate::cli) struct KeepingSink {
    name: String,
    kept: Mutex<Vec<Message>>,
}

impl KeepingSink {
    pub(in crate::cli) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), kept: Mutex::default() }
    }

    /// What it got, in order.
    pub(in crate::cli) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for KeepingSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(message.clone());
        Ok(Receipt::Placed)
    }

    fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        Ok(Box::new(|| self.offer(message)))
    }

    fn await_room(&self, _bytes: usize, _waker: &Waker) -> bool {
        true
    }
}

/// A call of a stage that failed.
pub(in crate::cli) struct FailedCall {
    /// The name of the stage.
    pub(in crate::cli) stage: String,
    /// The plugin that failed; none if none was reached.
    pub(in crate::cli) by: Option<Arc<ServedBy>>,
    /// The number of the call.
    pub(in crate::cli) number: u64,
    pub(in crate::cli) failure: Failure,
}

/// The failures of all stages of a flow.
#[derive(Default)]
pub(in crate::cli) struct Failures {
    kept: Mutex<Vec<FailedCall>>,
    /// Notified of each.
    pub(in crate::cli) any: Notify,
}

impl Failures {
    /// All since they were taken last, in order.
    pub(in crate::cli) fn take(&self) -> Vec<FailedCall> {
        std::mem::take(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A stage whose failures are kept, which the flow may pass by or drop without a word.
pub(in crate::cli) struct ObservedStage {
    pub(in crate::cli) stage: Arc<dyn Stage>,
    pub(in crate::cli) failures: Arc<Failures>,
}

impl Stage for ObservedStage {
    fn name(&self) -> &str {
        self.stage.name()
    }

    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed> {
        let (stage, failures) = (self.stage.name().to_owned(), Arc::clone(&self.failures));
        let processing = self.stage.process(message, number);
        Box::pin(async move {
            let processed = processing.await;
            // A busy machine says nothing of the plugin, and the flow tries again.
            if let Err(Failed { failure, .. }) = &processed.result
                && failure.fault != Fault::Busy
            {
                let failed = FailedCall { stage, by: processed.by.clone(), number, failure: failure.clone() };
                failures.kept.lock().unwrap_or_else(PoisonError::into_inner).push(failed);
                failures.any.notify_one();
            }
            processed
        })
    }
}

/// Nobody writes letters of examples.
pub(in crate::cli) struct NoLetters;

impl LostMessages for NoLetters {
    fn write(&self, _lost: Lost) {}
}

/// The runtime of the command.
pub(in crate::cli) struct ThisRuntime;

impl Executor for ThisRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
