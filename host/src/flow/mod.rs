//! The words of a host: what is bound, what answers, where messages go, and the way between them. Without I/O, and without the
//! name of any library.

pub(crate) mod bell;
mod chain;
#[expect(clippy::module_inception, reason = "it is the word that the folder is about")]
mod flow;
pub(crate) mod mailbox;
mod message;
#[cfg(test)]
pub(crate) mod simulation;
mod sink;
mod stage;
mod statistics;
mod surface;

pub use chain::Chain;
pub use flow::Flow;
pub use message::{Frames, Message, Metadata};
pub use sink::{Arrival, Full, Receipt, Sink};
pub use stage::{Failed, Failure, Fault, Output, Outputs, Processed, ServedBy, Stage};
pub use statistics::{Counted, Described, Family, Kind, Labels, Statistics, Unit};
pub use surface::{Command, Health, Side, State, Status, Surface};
