//! A stage: whatever makes other messages of a message.

use super::message::Message;
use crate::ledger::Reason;
use futures_util::future::BoxFuture;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// A plugin in one of its roles, or several stages one after the other. What it makes of a message depends on that, on its number, and on nothing that it did before.
pub trait Stage: Send + Sync {
    /// What it is called in the log and in dead letters.
    fn name(&self) -> &str;

    /// Makes any number of messages of one, which is that `number` of all that came in at its hop.
    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed>;
}

/// What became of a message at a stage.
#[derive(Debug)]
pub struct Processed {
    /// Who processed it; none where nobody was reached.
    pub by: Option<Arc<ServedBy>>,
    /// What came out, in the order in which it is to leave; or why nothing did.
    pub result: Result<Outputs, Failed>,
}

/// The plugin that did something, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedBy {
    /// The plugin's name.
    pub plugin: String,
    /// The generation of its slot, from 1.
    pub generation: u64,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The digest of the artifact that it was pulled as, if it comes from a registry.
    pub artifact: Option<String>,
}

/// What came out of a stage: of most messages one.
pub type Outputs = SmallVec<[Output; 1]>;

/// One message that came out of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How long it waits after the one before it; the first one from when it came out.
    pub after: Duration,
    /// The message.
    pub message: Message,
}

/// Why nothing came out of a stage, with what went in.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// What went in, for whoever keeps it.
    pub input: Message,
}

/// Why nothing came out of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the ledger counts it as.
    pub reason: Reason,
    /// Whose fault it is.
    pub fault: Fault,
    /// The whole of it, for the log and for who looks after the host: it may be the guest's own text, and name what is not
    /// for strangers.
    pub detail: String,
    /// What whoever sent the message may read of it.
    pub told: String,
    /// When another try may do better, if that is known.
    pub retry_after: Option<Duration>,
}

/// Whose fault it is that nothing came out of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Of who sent the message: it will never do.
    Sender,
    /// Of what the message was sent to: that does not take such messages.
    Recipient,
    /// Of nobody: there is too much to do, or nobody there who does it, and that may change.
    Busy,
    /// Of the stage, which broke down.
    Stage,
    /// Of the stage, which took too long.
    Late,
    /// Of the host.
    Host,
}

impl Fault {
    /// Whether a message is worth keeping for another try: not if its sender is at fault, or is told to send it again.
    pub fn is_worth_a_letter(self) -> bool {
        matches!(self, Self::Stage | Self::Late | Self::Host)
    }
}
