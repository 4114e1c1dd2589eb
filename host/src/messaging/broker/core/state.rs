//! What the broker is told to do, and how it does.

use crate::flow::{Command, State};
use crate::messaging::socket::reading::Obstacle;
use std::time::Instant;

/// What the broker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokerCommand {
    /// What any surface is told.
    Surface(Command),
    /// To finish by then, and end.
    End(Instant),
}

/// How the broker does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) state: State,
    /// Requests that are read and not yet answered.
    pub(crate) requests_in_flight: usize,
    /// Replies that wait for their time.
    pub(crate) replies_scheduled: usize,
    /// Replies that wait for their client to have room.
    pub(crate) replies_held: usize,
    /// What has kept it from reading for so long that it is told.
    pub(crate) obstacle: Option<Obstacle>,
}
