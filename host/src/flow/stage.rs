//! A stage: what processes a message and returns others.

use super::message::Message;
use crate::ledger::Reason;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// A plugin in one of its roles, or several stages in a row. Its output depends on the message and its number alone,
/// not on earlier calls.
pub trait Stage: Send + Sync {
    /// Its name in the log and in dead letters.
    fn name(&self) -> &str;

    /// Whether it is a part of the host, which no plugin is: what it says under the host's own keys is the host's word.
    fn is_of_host(&self) -> bool {
        false
    }

    /// Processes a message, which has this `number` at its hop, into any number of messages.
    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed>;

    /// As [`Self::process`], for who passes on what comes out of it before all of it has. By default all comes at once.
    fn stream(&self, message: Message, number: u64) -> BoxFuture<'static, Streamed> {
        let processing = self.process(message, number);
        Box::pin(async { Streamed { first: processing.await, further: None } })
    }
}

/// The result of processing a message, of which more may come.
pub struct Streamed {
    /// What has come out of it so far, or the failure.
    pub first: Processed,
    /// What comes out of it later; none if that was all.
    pub further: Option<Further>,
}

/// What comes out of a stage later, in the order in which it is to leave; after a failure nothing comes.
pub type Further = BoxStream<'static, Result<Output, Failed>>;

/// The result of processing a message.
#[derive(Debug)]
pub struct Processed {
    /// The plugin that processed it; none if none was reached.
    pub by: Option<Arc<ServedBy>>,
    /// The output in the order in which it is to leave, or the failure.
    pub result: Result<Outputs, Failed>,
}

/// The plugin that served a call, with its generation at that time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedBy {
    /// The plugin's name.
    pub plugin: String,
    /// The generation of its slot, from 1.
    pub generation: u64,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The digest of the artifact that it was pulled as, if it comes from a registry.
    pub artifact: Option<String>,
    /// What it calls the role of messages, from which the random numbers of its calls derive; none if it lacks it.
    pub message_role: Option<&'static str>,
}

/// The output of a stage: in most cases one message.
pub type Outputs = SmallVec<[Output; 1]>;

/// One message that came out of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How long it waits after the one before it; the first one from when it came out.
    pub after: Duration,
    /// The message.
    pub message: Message,
}

/// A stage failed: why, and its input.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// The input, for a dead letter.
    pub input: Message,
}

/// Why a stage failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the ledger counts it as.
    pub reason: Reason,
    /// Whose fault it is.
    pub fault: Fault,
    /// The whole error, for the log and the operator: it may hold the guest's own text, and name what clients must not
    /// see.
    pub detail: String,
    /// The part of it that the sender of the message may see.
    pub public_detail: String,
    /// When another try may do better, if that is known.
    pub retry_after: Option<Duration>,
}

/// Whose fault it is that a stage failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The sender's: this message will never be accepted.
    Sender,
    /// The recipient's: it does not take such messages.
    Recipient,
    /// Nobody's: there is too much load, or no plugin is loaded, and either may change.
    Busy,
    /// The stage's: it broke down.
    Stage,
    /// The stage's: it took too long.
    Late,
    /// The host's.
    Host,
}

impl Fault {
    /// Whether a message is kept as a dead letter: not if its sender is at fault, or is told to send it again.
    pub fn is_worth_a_letter(self) -> bool {
        matches!(self, Self::Stage | Self::Late | Self::Host)
    }
}
