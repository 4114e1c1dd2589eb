//! What an operator watches: all that the host does in one object, once or as it changes, and messages as they go by.
//!
//! Nothing here runs, holds memory or asks for the time while nobody watches: the first watcher starts the sampler, and it
//! ends with the last.

mod latency;
mod overview;
mod sampler;
pub(super) mod sse;
mod statistics;
mod tail;

pub(super) use overview::{Watched, peers};
pub(super) use sampler::Sampler;
pub(super) use tail::Tails;
