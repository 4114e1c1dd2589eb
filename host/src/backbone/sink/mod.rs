//! A sink of JetStream: what is offered to it counts as out once the servers have acknowledged it.

mod answers;
mod core;
mod queue;
mod sending;
#[cfg(test)]
mod simulation;
mod surface;

pub use surface::JetStreamSink;

use crate::config::{QueueBounds, SubjectTemplate};

/// What a sink is made with.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// Its name: `jetstream:SUBJECT`.
    pub name: String,
    /// The subject of each message.
    pub subject: SubjectTemplate,
    /// How much waits to be sent.
    pub bounds: QueueBounds,
    /// Messages that were sent and are not acknowledged.
    pub in_flight_max: usize,
    /// Whether other sinks may store the same message in the same stream, which knows it by its name.
    pub is_one_of_several: bool,
}
