//! A stage that stores what goes through it: the next one gets it once every sink has it.

use crate::flow::{Failed, Failure, Fault, Message, Output, Processed, Sink, Stage, await_arrivals, place};
use crate::ledger::Reason;
use futures_util::future::BoxFuture;
use smallvec::smallvec;
use std::sync::Arc;
use std::time::Duration;

/// Passes each message on as it is.
pub struct StoringStage {
    name: String,
    sinks: Arc<[Arc<dyn Sink>]>,
}

impl StoringStage {
    /// In all of these.
    pub fn new(sinks: Vec<Arc<dyn Sink>>) -> Self {
        let names: Vec<_> = sinks.iter().map(|sink| sink.name()).collect();
        Self { name: names.join(", "), sinks: sinks.into() }
    }
}

impl Stage for StoringStage {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_of_host(&self) -> bool {
        true
    }

    fn process(&self, message: Message, _number: u64) -> BoxFuture<'static, Processed> {
        let sinks = Arc::clone(&self.sinks);
        Box::pin(async move {
            let stored = store(&sinks, &message).await;
            let result = match stored {
                Ok(()) => Ok(smallvec![Output { after: Duration::ZERO, message }]),
                Err(failure) => Err(Failed { failure, input: message }),
            };
            Processed { by: None, result }
        })
    }
}

async fn store(sinks: &[Arc<dyn Sink>], message: &Message) -> Result<(), Failure> {
    let arrivals = place(sinks, std::slice::from_ref(message))
        .map_err(|error| failure(Reason::QueueFull, Fault::Busy, error.error.to_string()))?;
    let arrived = await_arrivals(sinks, arrivals, tokio::time::sleep).await;
    arrived.map_err(|reason| failure(reason, Fault::Late, format!("it was not stored: {}", reason.as_str())))
}

fn failure(reason: Reason, fault: Fault, detail: String) -> Failure {
    Failure { reason, fault, public_detail: detail.clone(), detail, retry_after: None }
}
