//! Files of captured traffic, captures and dead letters alike: what they are, what is in them, and each as the other.

mod entry;
mod failed_calls;
mod kind;
mod reader;

pub use entry::{Entry, LetterTraits};
pub use failed_calls::failed_calls;
pub use kind::{TrafficError, TrafficKind};
pub use reader::{ReadError, each_entry, each_letter, seed_of};
