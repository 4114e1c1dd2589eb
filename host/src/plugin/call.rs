//! What identifies a call of a plugin, what comes out of it, and all the ways in which it can fail.

use crate::config::INSTANCES_MAX;
use crate::flow::{Failure, Fault, Metadata, ServedBy};
use crate::ledger::Reason;
use crate::plugin::role::RoleName;
use std::sync::Arc;
use std::time::Duration;

/// The name of the request that a message came by, if its metadata has one.
pub(crate) fn request_id(metadata: &Metadata) -> &str {
    metadata.iter().find(|(key, _)| key == "tidegate.request-id").map_or("", |(_, id)| id)
}

/// Identifies a call among all that a host makes. The guest's randomness is derived from it, so no two calls draw the
/// same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallNumber {
    /// For the message with this number at its hop, from 1.
    Message(u64),
    /// To try the plugin out: with this number among all such calls of the host.
    Trial(u64),
    /// Of a load, which serves nobody: the probe, with 0, or an example, with its own from 1.
    Load(u64),
}

/// The end of a call: its result, and who gave it. `by` is none where no plugin was reached.
#[derive(Debug)]
pub struct Answer<T> {
    /// Who gave the result.
    pub by: Option<Arc<ServedBy>>,
    /// What came out.
    pub result: Result<T, CallError>,
}

/// Why a call gave nothing to send. [`CallError::reason`] is what it counts as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing is loaded in the slot.
    #[error("no plugin is loaded")]
    EmptySlot,
    /// The plugin that serves now lacks the role.
    #[error("the plugin has no {0} role")]
    NoRole(RoleName),
    /// As many calls as may be are running: `calls_max` of the plugin, or as many as may run of all plugins.
    #[error("as many calls as may be are running already: calls_max {0}, over all plugins {INSTANCES_MAX}")]
    TooManyCalls(usize),
    /// The system gave the host nothing for one more instance.
    #[error("the system has no room for one more call: {0}; try again later")]
    NoRoom(String),
    /// The plugin says that the input is at fault; its text is for the caller to read.
    #[error("{0}")]
    Rejected(String),
    /// The plugin says that it is itself at fault; the log has its text.
    #[error("the plugin failed: {0}")]
    Failed(String),
    /// The guest trapped; the log has the backtrace.
    #[error("the plugin trapped: {0}")]
    Trapped(String),
    /// Instantiation, guest code and waits together took longer than `call_deadline_ms`.
    #[error("the call ran longer than call_deadline_ms {0}")]
    DeadlineExceeded(u64),
    /// The call did not end in time, and the host had left it less than a quarter of that time.
    #[error("the host is too busy: of call_deadline_ms {0} it left the call less than a quarter; try again later")]
    Starved(u64),
    /// The guest died of a refused growth of its memory.
    #[error("the plugin trapped after more memory than memory_bytes_max {0} was refused")]
    OverMemory(usize),
    /// The guest died of a refused growth of a table.
    #[error("the plugin trapped after a larger table than table_elements_max {0} was refused")]
    OverTable(usize),
    /// The guest used up its stack.
    #[error("the plugin used up its stack of stack_bytes_max {0}")]
    OverStack(usize),
    /// What the guest returned is over `output_bytes_max`.
    #[error("the plugin's output is over output_bytes_max {0}")]
    OverOutput(usize),
    /// More replies than `replies_max`.
    #[error("{count} replies are more than replies_max {max}")]
    #[allow(missing_docs)]
    TooManyReplies { count: usize, max: usize },
    /// A reply that is to wait longer than `delay_ms_max`.
    #[error("reply {index} waits {delay_ms} ms, over delay_ms_max {max}")]
    #[allow(missing_docs)]
    DelayTooLong { index: usize, delay_ms: u32, max: u32 },
    /// More messages than `messages_max`.
    #[error("{count} messages are more than messages_max {max}")]
    #[allow(missing_docs)]
    TooManyMessages { count: usize, max: usize },
    /// A message or a reply has nothing to send.
    #[error("{what} {index} has no frames")]
    #[allow(missing_docs)]
    NoFrames { what: &'static str, index: usize },
    /// The handler returned, and never gave a response.
    #[error("the handler ended without a response")]
    NoResponse,
    /// The host's own part of the call panicked; the log has its text.
    #[error("the host panicked over the call; its log says where")]
    Panicked,
    /// The plugin failed too often, and rests for this long.
    #[error("the plugin is paused, since it kept failing; it is tried again in {} ms", .0.as_millis())]
    Paused(Duration),
    /// The operator has paused the plugin.
    #[error("the plugin is paused, as its operator asked; it is called again once that is over")]
    Held,
}

impl CallError {
    /// What the ledger counts it as.
    pub fn reason(&self) -> Reason {
        match self {
            Self::EmptySlot | Self::NoRole(_) => Reason::EmptySlot,
            Self::TooManyCalls(_) | Self::NoRoom(_) => Reason::TooManyCalls,
            Self::Rejected(_) => Reason::Rejected,
            Self::Failed(_) => Reason::Failed,
            Self::Trapped(_) => Reason::Trapped,
            Self::DeadlineExceeded(_) => Reason::DeadlineExceeded,
            Self::Starved(_) => Reason::Starved,
            Self::OverMemory(_) => Reason::OverMemory,
            Self::OverTable(_) => Reason::OverTable,
            Self::OverStack(_) => Reason::OverStack,
            Self::OverOutput(_) => Reason::OverOutput,
            Self::TooManyReplies { .. } => Reason::TooManyReplies,
            Self::DelayTooLong { .. } => Reason::DelayTooLong,
            Self::TooManyMessages { .. } => Reason::TooManyMessages,
            Self::NoFrames { .. } => Reason::NoFrames,
            Self::NoResponse => Reason::NoResponse,
            Self::Panicked => Reason::Panicked,
            Self::Paused(_) | Self::Held => Reason::Paused,
        }
    }

    /// Whose fault it is.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::NoRole(_) => Fault::Recipient,
            Self::Rejected(_) => Fault::Sender,
            Self::DeadlineExceeded(_) => Fault::Late,
            Self::Panicked => Fault::Host,
            Self::EmptySlot
            | Self::TooManyCalls(_)
            | Self::NoRoom(_)
            | Self::Starved(_)
            | Self::Paused(_)
            | Self::Held => Fault::Busy,
            Self::Failed(_)
            | Self::Trapped(_)
            | Self::OverMemory(_)
            | Self::OverTable(_)
            | Self::OverStack(_)
            | Self::OverOutput(_)
            | Self::TooManyReplies { .. }
            | Self::DelayTooLong { .. }
            | Self::TooManyMessages { .. }
            | Self::NoFrames { .. }
            | Self::NoResponse => Fault::Stage,
        }
    }

    /// What the error says of the health of the plugin.
    pub(crate) fn ending(&self) -> Ending {
        match self.fault() {
            // The plugin reports its own failure, so it still works.
            Fault::Stage if matches!(self, Self::Failed(_)) => Ending::Well,
            Fault::Sender => Ending::Well,
            Fault::Stage | Fault::Late => Ending::BrokeDown,
            Fault::Recipient | Fault::Busy | Fault::Host => Ending::Unknown,
        }
    }

    /// Whether the call failed because the host was too busy; a later try may succeed.
    pub(crate) fn is_too_busy(&self) -> bool {
        matches!(self, Self::TooManyCalls(_) | Self::NoRoom(_) | Self::Starved(_))
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let retry_after = match &error {
            CallError::Paused(rest) => Some(*rest),
            _ => None,
        };
        // What a plugin says of its own fault is for the log alone.
        let public_detail = match &error {
            CallError::Failed(_) => "the plugin failed; the host's log says how".to_owned(),
            CallError::Trapped(_) => "the plugin trapped; the host's log says where".to_owned(),
            error => error.to_string(),
        };
        Self { reason: error.reason(), fault: error.fault(), detail: error.to_string(), public_detail, retry_after }
    }
}

/// What the end of a call says of the plugin that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It answered, if only with an error.
    Well,
    /// It trapped, broke a bound or missed its deadline, which no input excuses.
    BrokeDown,
    /// Nothing: the plugin was not called, or the host kept the call from its end.
    Unknown,
}
