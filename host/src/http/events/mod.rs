//! Events: the messages that browsers and other HTTP clients follow, in streams that can be resumed.
//!
//! What goes to the sink gets a number and stands in a [`ring`] of the newest. A dispatcher hands each to the streams that it
//! is for, found by the [`directory`] of their topics; it waits in the [`queue`] of each. A stream that begins before the newest
//! reads the ring until it has caught up.

mod answer;
pub(super) mod data;
mod directory;
mod event;
mod hub;
mod open;
mod queue;
mod ring;
#[cfg(test)]
mod simulation;
mod sink;
mod sse;
mod stream;
mod surface;

pub use answer::PATH;
pub(super) use answer::{Wanted, answer};
pub use event::{Event, EventId, Resume};
pub use hub::{Hub, StreamCounts};
pub use open::OpenError;
pub use stream::{EventStream, Next, TopicError};
pub use surface::EventsSurface;
