//! What goes into a call of a plugin, what comes out of it, and all the ways in which it can fail.

use crate::config::INSTANCES_MAX;
use crate::ledger::Reason;
use std::sync::Arc;
use std::time::Duration;

/// Pairs in order; a key may occur more than once.
pub type Metadata = Vec<(String, String)>;

/// One message on its way through a transform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The topic to publish under; empty for none.
    pub topic: String,
    /// Pairs as the contract lists them.
    pub metadata: Metadata,
    /// Any bytes.
    pub body: Vec<u8>,
}

/// One request of a broker client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// 1 to 255 bytes, not necessarily text.
    pub identity: Vec<u8>,
    /// Pairs as the contract lists them.
    pub metadata: Metadata,
    /// The frames after identity and delimiter.
    pub frames: Vec<Vec<u8>>,
}

/// One reply to a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The wait after the previous reply of the list, in milliseconds.
    pub delay_ms: u32,
    /// At least one frame.
    pub frames: Vec<Vec<u8>>,
}

/// Which one it is of all the calls that a host makes. The guest's chance is a function of it, so no two are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallNumber {
    /// For the message with this number at its hop, from 1.
    Message(u64),
    /// To try the plugin out: with this number among all such calls of the host.
    Trial(u64),
    /// Of a load, which serves nobody: the probe, with 0, or an example, with its own from 1.
    Load(u64),
}

/// Who answered a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The plugin's name.
    pub plugin: String,
    /// The generation of the slot, from 1.
    pub generation: u64,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The digest of the artifact that it was pulled as, if it comes from a registry.
    pub artifact: Option<String>,
}

/// The end of a call: its result, and who gave it. `by` is none where no plugin was reached.
#[derive(Debug)]
pub struct Answer<T, I> {
    /// Who gave the result.
    pub by: Option<Arc<Stamp>>,
    /// What came out.
    pub result: Result<T, CallError>,
    /// What went in, given back where nothing came out.
    pub input: Option<I>,
}

/// Why a call gave nothing to send. [`CallError::reason`] is what it counts as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing is loaded in the slot.
    #[error("no plugin is loaded")]
    EmptySlot,
    /// The plugin that serves now lacks the role.
    #[error("the plugin has no {0} role")]
    NoRole(&'static str),
    /// The bound on concurrent calls is reached.
    #[error("as many calls as may be are running already: calls_max {0}, over all plugins {INSTANCES_MAX}")]
    TooManyCalls(usize),
    /// The system gave the host nothing for one more instance.
    #[error("the system has no room for one more call: {0}; try again later")]
    NoRoom(String),
    /// The plugin says that the input is at fault; this is for the caller to read.
    #[error("{0}")]
    Rejected(String),
    /// The plugin says that it is itself at fault.
    #[error("the plugin failed: {0}")]
    Failed(String),
    /// The guest trapped; backtrace included.
    #[error("the plugin trapped: {0}")]
    Trapped(String),
    /// Instantiation, guest code and waits together took too long.
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
    /// What the guest returned is too large.
    #[error("the plugin's output is over output_bytes_max {0}")]
    OverOutput(usize),
    /// More replies than one request may have.
    #[error("{count} replies are more than replies_max {max}")]
    #[allow(missing_docs)]
    TooManyReplies { count: usize, max: usize },
    /// A reply that is to wait too long.
    #[error("reply {index} waits {delay_ms} ms, over delay_ms_max {max}")]
    #[allow(missing_docs)]
    DelayTooLong { index: usize, delay_ms: u32, max: u32 },
    /// The reply with this index has nothing to send.
    #[error("reply {0} has no frames")]
    NoFrames(usize),
    /// The handler returned, and never gave a response.
    #[error("the handler ended without a response")]
    NoResponse,
    /// The host's own part of the call panicked; the log has its text.
    #[error("the host panicked over the call; its log says where")]
    Panicked,
    /// The plugin failed too often, and rests for this long.
    #[error("the plugin is paused, since it kept failing; it is tried again in {} ms", .0.as_millis())]
    Paused(Duration),
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
            Self::NoFrames(_) => Reason::NoFrames,
            Self::NoResponse => Reason::NoResponse,
            Self::Panicked => Reason::Panicked,
            Self::Paused(_) => Reason::Paused,
        }
    }

    /// What it says of the plugin.
    pub(crate) fn ending(&self) -> Ending {
        match self {
            Self::Trapped(_)
            | Self::DeadlineExceeded(_)
            | Self::OverMemory(_)
            | Self::OverTable(_)
            | Self::OverStack(_)
            | Self::OverOutput(_)
            | Self::TooManyReplies { .. }
            | Self::DelayTooLong { .. }
            | Self::NoFrames(_)
            | Self::NoResponse => Ending::BrokeDown,
            Self::Rejected(_) | Self::Failed(_) => Ending::Well,
            Self::EmptySlot
            | Self::NoRole(_)
            | Self::TooManyCalls(_)
            | Self::NoRoom(_)
            | Self::Starved(_)
            | Self::Panicked
            | Self::Paused(_) => Ending::Untold,
        }
    }

    /// Whether the host had too much to do for the call, which may do better later.
    pub(crate) fn is_too_busy(&self) -> bool {
        matches!(self, Self::TooManyCalls(_) | Self::NoRoom(_) | Self::Starved(_))
    }
}

/// What the end of a call says of the plugin that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It answered, if only with an error.
    Well,
    /// It broke down or broke a bound, which nothing that it was asked excuses.
    BrokeDown,
    /// Nothing, for better or worse: the host kept the call from its end.
    Untold,
}
