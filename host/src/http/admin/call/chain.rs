//! A call of all steps of a route or a flow, to try them: nothing goes to a sink, and no dead letter is written.

use super::trial::microseconds;
use super::{Input, Output, Returned, Who};
use crate::config::{ADMIN_CALL_BYTES_MAX, CALL_STEPS_MAX, CHAIN_MESSAGES_MAX};
use crate::flow::{ChainBounds, Failed, Failure, Message, Outputs, OwnedChain, OwnedLink, Passed, Processed, Stage};
use crate::http::admin::json;
use crate::http::answer::say_met;
use crate::http::problem::Problem;
use crate::plugin::{Answer, CallLog, CallNumber, Processor, Slot, Slots};
use futures_util::future::BoxFuture;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use warp::reply::Response;

/// The steps of a route or a flow, in order.
pub(in crate::http::admin) struct Steps {
    steps: Vec<Step>,
    /// What may come out of one of them.
    output_bytes_max: usize,
}

enum Step {
    Plugin(Arc<Slot>),
    /// A pool of workers, say.
    OfHost(Arc<dyn Stage>),
}

/// What is told of the calls of all steps, beside what came out.
#[derive(Serialize)]
struct ChainReport {
    duration_us: u64,
    steps: Vec<Called>,
    /// How many more calls there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_left_out: Option<u64>,
}

/// One call of one step.
#[derive(Serialize)]
struct Called {
    step: String,
    #[serde(flatten)]
    by: Option<Who>,
    messages: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    duration_us: u64,
    #[serde(flatten)]
    log: Option<CallLog>,
}

impl Steps {
    /// Of these stages: a plugin's by the slot of its name.
    ///
    /// # Errors
    /// When there is no such plugin any more.
    pub(in crate::http::admin) fn new(stages: &[Arc<dyn Stage>], slots: &Slots) -> Result<Self, Problem> {
        let step = |stage: &Arc<dyn Stage>| match stage.is_of_host() {
            true => Ok(Step::OfHost(Arc::clone(stage))),
            false => {
                let slot = slots.get(stage.name());
                slot.map(Step::Plugin).ok_or_else(|| Problem::NoPlugin(stage.name().to_owned()))
            }
        };
        let steps: Vec<_> = stages.iter().map(step).collect::<Result<_, _>>()?;
        let largest = steps.iter().map(|step| match step {
            Step::Plugin(slot) => slot.output_bytes_max(),
            Step::OfHost(_) => ADMIN_CALL_BYTES_MAX,
        });
        let output_bytes_max = largest.max().unwrap_or_default().min(ADMIN_CALL_BYTES_MAX);
        Ok(Self { steps, output_bytes_max })
    }

    /// What they hold at most at a time.
    pub(in crate::http::admin) fn bytes_max(&self) -> usize {
        self.output_bytes_max.saturating_mul(2)
    }

    /// Has them process a message. The calls of plugins have `numbers` of trials.
    ///
    /// # Errors
    /// When the answer cannot be written.
    pub(in crate::http::admin) async fn answer(
        self,
        message: Message,
        numbers: &Arc<AtomicU64>,
    ) -> Result<Response, Problem> {
        let (began, calls) = (Instant::now(), Arc::<Calls>::default());
        let link = |step| {
            let (calls, numbers) = (Arc::clone(&calls), Arc::clone(numbers));
            OwnedLink { stage: Arc::new(TriedStage { step: Arc::new(step), calls, numbers }), hop: None }
        };
        let chain = OwnedChain {
            links: self.steps.into_iter().map(link).collect(),
            numbers: Arc::default(),
            bounds: ChainBounds { messages_max: CHAIN_MESSAGES_MAX, bytes_max: self.output_bytes_max },
            is_awaited: true,
            // A trial is no traffic.
            recording: Default::default(),
        };
        let Passed { met, result } = chain.process(message, 1).await;
        let report = calls.report(began.elapsed());
        let mut response = match result {
            Ok(outputs) => {
                json(&Returned { by: None, output: Output::processed(None, outputs), report: Some(report) })?
            }
            Err(Failed { failure, .. }) => Problem::Failed(failure).into_response_with(&report),
        };
        say_met(response.headers_mut(), &met);
        Ok(response)
    }
}

/// The message that a body has for steps.
///
/// # Errors
/// When it has none.
pub(in crate::http::admin) fn message(input: Input) -> Result<Message, Problem> {
    match input {
        Input::Message(message) => Ok(message),
        Input::Request(_) | Input::Http(_) => {
            Err(Problem::Malformed("these steps process messages: the call has a message".to_owned()))
        }
    }
}

/// A step that tells of each of its calls.
struct TriedStage {
    step: Arc<Step>,
    calls: Arc<Calls>,
    numbers: Arc<AtomicU64>,
}

/// The calls so far.
#[derive(Default)]
struct Calls(Mutex<(Vec<Called>, u64)>);

impl Calls {
    fn add(&self, called: Called) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.0.len() < CALL_STEPS_MAX {
            calls.0.push(called);
        } else {
            calls.1 += 1;
        }
    }

    fn report(&self, took: Duration) -> ChainReport {
        let (steps, left_out) = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let steps_left_out = (left_out > 0).then_some(left_out);
        ChainReport { duration_us: microseconds(took), steps, steps_left_out }
    }
}

impl Step {
    fn name(&self) -> &str {
        match self {
            Self::Plugin(slot) => slot.name(),
            Self::OfHost(stage) => stage.name(),
        }
    }

    /// Processes a message, in the trial of this number. Also returns the log of the call.
    async fn process(&self, message: Message, number: u64) -> (Processed, Option<CallLog>) {
        let slot = match self {
            Self::OfHost(stage) => return (stage.process(message, number).await, None),
            Self::Plugin(slot) => slot,
        };
        let number = CallNumber::Trial(number);
        let log = slot.keep_log(number);
        let input = slot.input::<Processor>(message.clone());
        let Answer { by, result } = slot.call::<Processor>(input.clone(), input.request_id(), number).await;
        let result = result.map_err(|error| Failed { failure: Failure::from(error), input: message });
        (Processed { by, result }, Some(log.take()))
    }
}

impl Stage for TriedStage {
    fn name(&self) -> &str {
        self.step.name()
    }

    fn is_of_host(&self) -> bool {
        matches!(&*self.step, Step::OfHost(_))
    }

    fn process(&self, message: Message, _number: u64) -> BoxFuture<'static, Processed> {
        let (step, calls) = (Arc::clone(&self.step), Arc::clone(&self.calls));
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let began = Instant::now();
            let (processed, log) = step.process(message, number).await;
            calls.add(Called {
                step: step.name().to_owned(),
                by: processed.by.as_deref().map(Who::from),
                messages: processed.result.as_ref().map_or(0, Outputs::len),
                failed: processed.result.is_err(),
                duration_us: microseconds(began.elapsed()),
                log,
            });
            processed
        })
    }
}
