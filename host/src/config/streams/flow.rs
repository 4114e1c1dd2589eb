//! A flow: where its messages come from, what they go through, and where they go.

use crate::config::FRONTEND;
use crate::config::limits::number;
use serde::{Deserialize, Serialize};

/// `[flows.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The sockets that its messages come from, or `jetstream:STREAM/CONSUMER`; or `frontend` alone, for what the broker's
    /// clients ask.
    pub from: Vec<String>,
    /// The plugins that each message goes through, in order; `workers.NAME` is a pool of workers.
    #[serde(default)]
    pub through: Vec<String>,
    /// The sockets that each message goes to, or `jetstream:SUBJECT`; each of them gets all. Where it comes from the frontend
    /// JetStream alone, before its client gets what comes out.
    #[serde(default)]
    pub to: Vec<String>,
    /// In which order messages leave.
    #[serde(default)]
    pub order: Order,
    /// Messages that are processed at the same time, or wait to leave; of the frontend, the requests that are answered at a time.
    #[serde(default = "in_flight_max", deserialize_with = "number::<_, _, 1, 100_000>")]
    pub in_flight_max: usize,
    /// Their bytes, with those of what is made of them; where there are as many, no message is taken in. In a flow of several
    /// plugins one message may not become more.
    #[serde(default = "in_flight_bytes_max", deserialize_with = "number::<_, _, 1, 1_099_511_627_776>")]
    pub in_flight_bytes_max: usize,
    /// What becomes of a message that a plugin fails at.
    #[serde(default)]
    pub on_error: OnError,
    /// Whether a worker may get a message that another one had before it was lost, and may have worked on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
}

impl Flow {
    /// Whether it answers the broker's clients.
    pub fn is_of_frontend(&self) -> bool {
        self.from.iter().any(|source| source == FRONTEND)
    }
}

fn in_flight_max() -> usize {
    64
}

pub(super) fn in_flight_bytes_max() -> usize {
    64 << 20
}

/// In which order the messages of a flow leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// In which they came.
    #[default]
    Strict,
    /// In which those with the same first frame came.
    Key,
    /// In which they are done.
    None,
}

/// What becomes of a message of a flow that a plugin fails at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It is dropped, and written to the dead letters.
    #[default]
    DeadLetter,
    /// It is dropped.
    Drop,
    /// It goes on as it was before that plugin.
    Pass,
    /// It stays, and the flow pauses; resumed, it tries again.
    Stop,
}
