//! The vocabulary of a host: surfaces, stages, sinks, the flows between them, and their messages. Apart from the
//! bell's pipe it does no I/O, and it names neither ZeroMQ, HTTP nor wasmtime.

pub(crate) mod bell;
pub(crate) mod call_time_estimate;
mod chain;
mod inlet;
pub(crate) mod mailbox;
mod message;
mod met;
mod placement;
mod recording;
mod settlement;
#[cfg(test)]
pub(crate) mod simulation;
mod sink;
mod stage;
mod statistics;
mod stream;
mod surface;
mod surfaces;
mod taps;

pub use chain::{Chain, ChainBounds, Link, OwnedChain, OwnedLink, Passed, PassedOn, ReplyChain};
pub use inlet::{Entered, Inlet, SOCKET_KEY};
pub use message::{Frames, HTTP_STATUS, Message, Metadata};
pub use met::Met;
pub use placement::{PlaceError, await_arrivals, place};
pub use recording::{OwnedPlace, Recorded, RecordedAt, RecordedCall, Recorder, Recording, Subject};
pub use settlement::{Lost, LostMessages, Settlement};
pub use sink::{Arrival, OfferError, Receipt, Reserved, Sink};
pub use stage::{Failed, Failure, Fault, Further, Output, Outputs, Processed, ServedBy, Stage, Streamed};
pub use statistics::{Counted, Described, Family, Kind, Labels, Statistics, Unit};
pub use stream::{Executor, FlowParts, FlowSettings, FlowStage, FlowSurface};
pub(crate) use surface::identity_text;
pub use surface::{
    Client, Command, FlowPath, Health, PeerList, PeerStatus, Pool, PoolStatus, Side, State, Status, Surface,
    WorkerState, WorkerStatus,
};
pub use surfaces::Surfaces;
pub use taps::{Choice, Passing, Place, Point, Seen, SeenFrame, Taps, Watch};
