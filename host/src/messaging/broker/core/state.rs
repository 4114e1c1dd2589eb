//! The commands to the broker, and its progress.

use crate::flow::{Command, State};
use crate::messaging::socket::reading::Obstacle;
use std::time::Instant;

/// A command to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokerCommand {
    /// A command that any surface may get.
    Surface(Command),
    /// Finish by then, and end.
    End(Instant),
}

/// The state of the broker at the end of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) state: State,
    /// Requests that are read and not yet answered.
    pub(crate) requests_in_flight: usize,
    /// Replies that wait for their delay.
    pub(crate) replies_scheduled: usize,
    /// Replies that wait for room at their client.
    pub(crate) replies_held: usize,
    /// What has kept it from reading for so long that it is reported.
    pub(crate) obstacle: Option<Obstacle>,
}
