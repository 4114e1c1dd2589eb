//! What goes into a call of a plugin, what comes out of it, and all the ways in which it can fail.

use crate::ledger::Reason;
use std::sync::Arc;

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

/// Who answered a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The plugin's name.
    pub plugin: String,
    /// The generation of the slot, from 1.
    pub generation: u64,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
}

/// The end of a call: its result, and who gave it. `by` is none where no plugin was reached.
#[derive(Debug)]
pub struct Answer<T> {
    /// Who gave the result.
    pub by: Option<Arc<Stamp>>,
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
    NoRole(&'static str),
    /// The bound on concurrent calls is reached.
    #[error("{0} calls are running already, which is calls_max")]
    TooManyCalls(usize),
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
    /// The guest died of a refused growth.
    #[error("the plugin trapped after more {0} was refused")]
    OverMemory(&'static str),
    /// The returned value is over a bound, or not of the contract's shape.
    #[error("{0}")]
    OverBounds(String),
}

impl CallError {
    /// What the ledger counts it as.
    pub fn reason(&self) -> Reason {
        match self {
            Self::EmptySlot | Self::NoRole(_) => Reason::EmptySlot,
            Self::TooManyCalls(_) => Reason::TooManyCalls,
            Self::Rejected(_) => Reason::Rejected,
            Self::Failed(_) => Reason::Failed,
            Self::Trapped(_) => Reason::Trapped,
            Self::DeadlineExceeded(_) => Reason::DeadlineExceeded,
            Self::OverMemory(_) => Reason::OverMemory,
            Self::OverBounds(_) => Reason::OverBounds,
        }
    }
}
