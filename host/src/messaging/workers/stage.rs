//! The workers of a pool as a stage: what a message is for a worker, and what its answer, or that there is none, is for who
//! waits.

use super::codec::{self, BadAnswer};
use super::control::PoolControl;
use super::core::NewJob;
use super::reply::{Answer, Part, PartReceiver, Reply, Unanswered};
use crate::config::QueueBounds;
use crate::flow::mailbox::PushError;
use crate::flow::{
    Failed, Failure, Fault, Frames, Further, Message, Metadata, Output, Outputs, Processed, Stage, Streamed,
};
use crate::ledger::{Hop, Passage, Reason};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Of the number of the attempt, where it is not the first.
const ATTEMPT: &str = "tidegate.attempt";
/// When a message for which there was no worker or no room is worth another try.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The workers, for messages of which a second worker may get one or not.
#[derive(Clone)]
pub(super) struct PoolStage {
    pub(super) control: Arc<PoolControl>,
    pub(super) hop: Arc<Hop>,
    pub(super) is_idempotent: bool,
}

impl Stage for PoolStage {
    fn name(&self) -> &str {
        &self.control.name
    }

    fn process(&self, message: Message, _number: u64) -> BoxFuture<'static, Processed> {
        let (reply, answer) = Reply::whole();
        // At once: a pool that another one is to replace takes what it gets before.
        let (call, refused) = self.submit(message, reply);
        Box::pin(async move {
            if let Some(failure) = refused {
                return call.end(Err(failure));
            }
            let result = match answer.await {
                Ok(Ok(Answer { parts, attempt })) => call.read_all(parts, attempt),
                Ok(Err(why)) => Err(call.stage.unanswered(why)),
                Err(_) => Err(call.stage.ended()),
            };
            call.end(result)
        })
    }

    fn stream(&self, message: Message, _number: u64) -> BoxFuture<'static, Streamed> {
        let (reply, parts) = Reply::in_parts();
        let (call, refused) = self.submit(message, reply);
        Box::pin(async move {
            match refused {
                None => PartCall { call, parts, is_over: false }.begin().await,
                Some(failure) => Streamed { first: call.end(Err(failure)), further: None },
            }
        })
    }
}

impl PoolStage {
    /// Hands a message to the pool. Returns also why that takes it not, if so.
    fn submit(&self, message: Message, reply: Reply) -> (Call, Option<Failure>) {
        let passage = self.hop.enter().of_client();
        let bytes = message.bytes();
        let job = || NewJob { message: message.clone(), is_idempotent: self.is_idempotent, reply };
        let pushed = self.control.jobs.push(bytes, job);
        let refused = pushed.err().map(|error| match error {
            PushError::Closed => self.ended(),
            PushError::TooManyItems | PushError::TooManyBytes => self.full(error),
        });
        (Call { stage: self.clone(), passage, input: message }, refused)
    }

    fn full(&self, error: PushError) -> Failure {
        let (name, QueueBounds { messages_max, bytes_max }) = (&self.control.name, self.control.queue);
        let bound = match error {
            PushError::TooManyBytes => format!("queue_bytes_max {bytes_max}"),
            PushError::TooManyItems | PushError::Closed => format!("queue_messages_max {messages_max}"),
        };
        self.failure(Reason::QueueFull, Fault::Busy, format!("{name} has no room for another message within {bound}"))
    }

    fn ended(&self) -> Failure {
        self.failure(Reason::Abandoned, Fault::Busy, format!("{} has ended", self.control.name))
    }

    fn unanswered(&self, why: Unanswered) -> Failure {
        let (name, config) = (&self.control.name, &self.control.config);
        let (reason, fault, detail) = match why {
            Unanswered::NoWorker => {
                let wait_ms_max = config.wait_ms_max;
                let detail = format!("no worker of {name} was free within wait_ms_max {wait_ms_max}");
                (Reason::NoWorker, Fault::Busy, detail)
            }
            Unanswered::WorkerLost { attempts, why } => {
                let had = if attempts > 1 { format!(", as {} before it", attempts - 1) } else { String::new() };
                let detail = format!("the worker of {name} that had the message was lost{had}: {why}");
                (Reason::WorkerLost, Fault::Stage, detail)
            }
            Unanswered::TooLate => {
                let detail = format!("the worker of {name} did not answer within deadline_ms {}", config.deadline_ms);
                (Reason::DeadlineExceeded, Fault::Late, detail)
            }
            Unanswered::NoRoom => {
                let bytes_max = self.control.queue.bytes_max;
                let detail =
                    format!("the answers of {name} that wait have no more room within queue_bytes_max {bytes_max}");
                (Reason::QueueFull, Fault::Stage, detail)
            }
            Unanswered::NotTaken => {
                let bytes_max = config.answer_bytes_max;
                let detail =
                    format!("who asked {name} has not taken answer_bytes_max {bytes_max} of the answer's parts");
                (Reason::ClientFull, Fault::Sender, detail)
            }
            Unanswered::TooLarge => {
                let bytes_max = config.answer_bytes_max;
                let detail = format!("the answer of a worker of {name} is larger than answer_bytes_max {bytes_max}");
                (Reason::OverOutput, Fault::Stage, detail)
            }
        };
        self.failure(reason, fault, detail)
    }

    fn failure(&self, reason: Reason, fault: Fault, detail: String) -> Failure {
        let mut log_limit = self.control.log_limit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repeats) = log_limit.admit(reason.as_str(), Instant::now()) {
            tracing::warn!(reason = reason.as_str(), repeats, "{detail}");
        }
        let retry_after = (fault == Fault::Busy).then_some(RETRY_AFTER);
        Failure { reason, fault, public_detail: detail.clone(), detail, retry_after }
    }
}

/// A message that workers have got, or will.
struct Call {
    stage: PoolStage,
    passage: Passage,
    input: Message,
}

impl Call {
    fn read_all(&self, parts: Vec<Frames>, attempt: u32) -> Result<Outputs, Failure> {
        parts.into_iter().map(|frames| self.read(frames, attempt)).collect()
    }

    /// The message that an answer is.
    fn read(&self, frames: Frames, attempt: u32) -> Result<Output, Failure> {
        let mut message = codec::decode(self.stage.control.config.codec, frames).map_err(|error| {
            let name = &self.stage.control.name;
            match error {
                BadAnswer::NotOne(why) => self.stage.failure(
                    Reason::BadResponse,
                    Fault::Stage,
                    format!("what a worker of {name} answered is no answer: {why}"),
                ),
                BadAnswer::Failed(why) => {
                    self.stage.failure(Reason::Failed, Fault::Stage, format!("a worker of {name} failed: {why}"))
                }
            }
        })?;
        let mut of_host: Metadata = self.input.host_pairs();
        if attempt > 1 {
            of_host.retain(|(key, _)| key != ATTEMPT);
            of_host.push((ATTEMPT.to_owned(), attempt.to_string()));
        }
        message.keep_host_pairs(&of_host);
        message.trace.clone_from(&self.input.trace);
        Ok(Output { after: Duration::ZERO, message })
    }

    /// Counts the end.
    fn end(self, result: Result<Outputs, Failure>) -> Processed {
        let result = match result {
            Ok(outputs) => {
                self.passage.out();
                Ok(outputs)
            }
            Err(failure) => {
                self.passage.dropped(failure.reason);
                Err(Failed { failure, input: self.input })
            }
        };
        Processed { by: None, result }
    }
}

/// The same, whose answer is passed on part by part.
struct PartCall {
    call: Call,
    parts: PartReceiver,
    is_over: bool,
}

impl PartCall {
    /// Waits for the first part.
    async fn begin(mut self) -> Streamed {
        match self.next().await {
            Ok(Some(output)) => {
                let outputs = Outputs::from_iter([output]);
                if self.is_over {
                    return Streamed { first: self.call.end(Ok(outputs)), further: None };
                }
                Streamed { first: Processed { by: None, result: Ok(outputs) }, further: Some(self.further()) }
            }
            Ok(None) => Streamed { first: self.call.end(Ok(Outputs::new())), further: None },
            Err(failure) => Streamed { first: self.call.end(Err(failure)), further: None },
        }
    }

    fn further(self) -> Further {
        let next = |this: Option<Self>| async move {
            let mut this = this?;
            match this.next().await {
                Ok(Some(output)) => Some((Ok(output), Some(this))),
                Ok(None) => {
                    this.call.passage.out();
                    None
                }
                Err(failure) => this.call.end(Err(failure)).result.err().map(|failed| (Err(failed), None)),
            }
        };
        futures_util::stream::unfold(Some(self), next).boxed()
    }

    /// The next part; none if the one before it was the last.
    async fn next(&mut self) -> Result<Option<Output>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        match self.parts.next().await {
            Some(Part::One { frames, attempt, is_last, room: _ }) => {
                self.is_over = is_last;
                self.call.read(frames, attempt).map(Some)
            }
            Some(Part::End) => Ok(None),
            Some(Part::Broken(why)) => Err(self.call.stage.unanswered(why)),
            None => Err(self.call.stage.ended()),
        }
    }
}
