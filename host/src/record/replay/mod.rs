//! Captured traffic as it came in once, to be sent again: which messages those are, and when each is due.

mod incoming;
mod schedule;

pub use incoming::{Found, Incoming, Skip, each_incoming};
pub use schedule::{Lateness, Pace, Schedule};
