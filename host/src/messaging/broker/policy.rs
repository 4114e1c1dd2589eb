//! The policy as the broker asks it: one call per request, begun on any thread and ended there or on another.

use super::envelope::Envelope;
use super::exchange::{Done, Job, Replies, reply_bytes};
use super::origin::Origin;
use crate::byte_budget::Held;
use crate::dead_letters::DeadLetters;
use crate::ledger::{Passage, Reason};
use crate::plugin::{Answer, CallError, CallNumber, Reply, Request, Slot, lost};
use crate::request_id::{RequestId, RequestIds};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tracing::{Instrument, Span};

/// Whom to ask, and what to do where there is no answer.
#[derive(Clone)]
pub(super) struct Policy {
    /// Holds the policy.
    pub(super) slot: Arc<Slot>,
    /// Names the requests.
    pub(super) request_ids: Arc<RequestIds>,
    /// Takes the requests whose call failed.
    pub(super) dead_letters: DeadLetters,
}

/// What a call came to.
enum Outcome {
    Answered(Answer<Vec<Reply>, Request>),
    /// The host's own code panicked over it.
    Panicked,
    /// Nobody waits for it any more.
    GivenUp,
}

type Answering = Pin<Box<dyn Future<Output = Answer<Vec<Reply>, Request>> + Send>>;

/// A call that has begun.
pub(super) struct PolicyCall {
    passage: Passage,
    number: u64,
    envelope: Envelope,
    id: RequestId,
    span: Span,
    /// Until the policy is asked.
    request: Option<Request>,
    answering: Option<Answering>,
    took: Duration,
    request_bytes: usize,
    /// Room for what it may return.
    held: Held,
}

/// What there is to do for a request.
pub(super) enum Task {
    /// To ask the policy, with room for what it may return.
    Begin(Job, Held),
    /// To wait for its answer, which did not come at once.
    GoOn(Box<PolicyCall>),
}

impl Policy {
    /// Asks, on a thread inside the runtime. The end, if that comes at once: a guest that does not wait for anything runs
    /// until it returns or one tick of the engine has passed. Else the call, to be waited for.
    pub(super) fn ask(&self, job: Job, held: Held) -> Result<Done, Box<PolicyCall>> {
        let began = Instant::now();
        let mut call = PolicyCall::new(self.request_ids.next_id(), job, held);
        let polled = call.poll(&self.slot, &mut Context::from_waker(Waker::noop()));
        call.took = began.elapsed();
        match polled {
            Poll::Ready(outcome) => Ok(self.conclude(call, outcome)),
            Poll::Pending => Err(Box::new(call)),
        }
    }

    /// Waits for the answer of a call, until it is `given_up`.
    pub(super) async fn wait_for(&self, mut call: Box<PolicyCall>, given_up: impl Future<Output = ()>) -> Done {
        let began = Instant::now();
        let outcome = tokio::select! {
            biased;
            outcome = std::future::poll_fn(|context| call.poll(&self.slot, context)) => outcome,
            () = given_up => Outcome::GivenUp,
        };
        call.took += began.elapsed();
        self.conclude(*call, outcome)
    }

    fn conclude(&self, call: PolicyCall, outcome: Outcome) -> Done {
        let PolicyCall { passage, number, envelope, id, request, took, request_bytes, mut held, .. } = call;
        let verdict = match outcome {
            Outcome::Answered(Answer { by, result: Ok(replies), .. }) => {
                held.settle(replies.iter().map(|reply| reply_bytes(&envelope, reply)).sum());
                Ok(Replies { origin: Origin { id, number, by }, replies, held })
            }
            Outcome::Answered(Answer { by, result: Err(error), input }) => {
                // Nobody else will tell: the client has no status to learn it from.
                self.dead_letters.write(lost(
                    self.slot.name(),
                    number,
                    by.as_deref(),
                    &error,
                    input.unwrap_or_default(),
                ));
                Err(error.reason())
            }
            Outcome::Panicked => {
                tracing::error!(request_id = %id, "calling the policy panicked");
                // Of a request that the policy had already, there is nothing left here but who asked.
                let input = request.unwrap_or_else(|| Request {
                    identity: envelope.identity.clone(),
                    metadata: vec![("tidegate.request-id".to_owned(), id.to_string())],
                    frames: Vec::new(),
                });
                self.dead_letters.write(lost(self.slot.name(), number, None, &CallError::Panicked, input));
                Err(Reason::Panicked)
            }
            Outcome::GivenUp => Err(Reason::Abandoned),
        };
        Done { passage, envelope, verdict, request_bytes, took }
    }
}

impl PolicyCall {
    fn new(id: RequestId, job: Job, held: Held) -> Self {
        let request_bytes = job.bytes();
        let Job { passage, number, key, envelope, body } = job;
        // What the log says of the request names the key too.
        let span = key.as_ref().map_or_else(Span::none, |key| tracing::info_span!("request", curve_key = key));
        let mut metadata = Vec::with_capacity(2);
        metadata.push(("tidegate.request-id".to_owned(), id.to_string()));
        metadata.extend(key.map(|key| ("tidegate.curve-key".to_owned(), key)));
        let request = Some(Request { identity: envelope.identity.clone(), metadata, frames: body });
        let took = Duration::ZERO;
        Self { passage, number, envelope, id, span, request, answering: None, took, request_bytes, held }
    }

    /// A panic is the host's fault, and no reason to serve with one thread less.
    fn poll(&mut self, slot: &Arc<Slot>, context: &mut Context<'_>) -> Poll<Outcome> {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(debug_assertions)]
            self.request.iter().for_each(panic_if_asked);
            if let Some(request) = self.request.take() {
                let (slot, number) = (Arc::clone(slot), self.number);
                let answering = async move { slot.replies(request, CallNumber::Message(number)).await };
                self.answering = Some(match self.span.is_none() {
                    true => Box::pin(answering),
                    false => Box::pin(answering.instrument(self.span.clone())),
                });
            }
            self.answering.as_mut().map_or(Poll::Pending, |answering| answering.as_mut().poll(context))
        }));
        match polled {
            Ok(answer) => answer.map(Outcome::Answered),
            Err(_) => Poll::Ready(Outcome::Panicked),
        }
    }
}

/// A fault to try the host with, in debug builds alone: a request that asks for a panic of the worker gets it, if the
/// environment allows for that.
#[cfg(debug_assertions)]
fn panic_if_asked(request: &Request) {
    if request.frames.first().is_some_and(|frame| frame == b"tidegate-fault-panic")
        && std::env::var_os("TIDEGATE_FAULTS").is_some_and(|value| value == "1")
    {
        panic!("a request asked for it, and TIDEGATE_FAULTS=1 allows it");
    }
}
