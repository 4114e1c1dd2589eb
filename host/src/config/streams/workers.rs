//! A pool of workers: where they connect, how messages look to them, and for how long messages and workers are waited for.

use crate::config::address::Endpoint;
use crate::config::limits::{between, milliseconds, number};
use serde::{Deserialize, Serialize};

/// `[workers.NAME]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerPool {
    /// Where workers connect.
    pub bind: Vec<Endpoint>,
    /// Whether workers need a key on the host's list; as for the host's other sockets if it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<bool>,
    /// What workers speak.
    #[serde(default)]
    pub protocol: WorkerProtocol,
    /// What a message looks like to a worker, and its answer.
    #[serde(default)]
    pub codec: WorkerCodec,
    /// How often heartbeats go to workers; a worker that is silent for three times as long is gone.
    #[serde(default = "heartbeat_ms", deserialize_with = "milliseconds::<_, _, 10, 600_000>")]
    pub heartbeat_ms: u64,
    /// How long a message waits for a free worker.
    #[serde(default = "wait_ms_max", deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub wait_ms_max: u64,
    /// How long a worker may have a message until it has answered.
    #[serde(default = "deadline_ms", deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub deadline_ms: u64,
    /// Which messages another worker gets when the one that had them is lost.
    #[serde(default)]
    pub retry: Retry,
    /// How often one message is sent again.
    #[serde(default = "retries_max", deserialize_with = "number::<_, _, 0, 1_000>")]
    pub retries_max: u32,
    /// Messages that one worker has at a time.
    #[serde(default = "in_flight_per_worker_max", deserialize_with = "number::<_, _, 1, 10_000>")]
    pub in_flight_per_worker_max: usize,
    /// The host is ready only with so many workers.
    #[serde(default, deserialize_with = "number::<_, _, 0, 1_000_000>")]
    pub workers_min: usize,
    /// Bytes of one answer, all of its parts together; of one that is passed on part by part, those that wait for its client.
    #[serde(default = "answer_bytes_max", deserialize_with = "number::<_, _, 1, 1_073_741_824>")]
    pub answer_bytes_max: usize,
    /// Messages that wait for a worker or are with one, if not `messaging.queue_messages_max`.
    #[serde(default, deserialize_with = "between::<_, _, 1, 10_000_000>", skip_serializing_if = "Option::is_none")]
    pub queue_messages_max: Option<usize>,
    /// Their bytes, and those of all answers that wait to be taken, if not `messaging.queue_bytes_max`.
    #[serde(
        default,
        deserialize_with = "between::<_, _, 1, 1_099_511_627_776>",
        skip_serializing_if = "Option::is_none"
    )]
    pub queue_bytes_max: Option<usize>,
}

/// What the name of a pool begins with, where steps of flows and routes are named. A plugin's name has no dot.
const STEP: &str = "workers.";

/// The pool that a step of a flow or a route names; none if it names a plugin.
pub fn pool_of(step: &str) -> Option<&str> {
    step.strip_prefix(STEP)
}

/// What a pool is called as a step of flows and routes, as a surface, and in the ledger.
pub fn step_of(pool: &str) -> String {
    format!("{STEP}{pool}")
}

fn heartbeat_ms() -> u64 {
    1_000
}

fn wait_ms_max() -> u64 {
    5_000
}

fn deadline_ms() -> u64 {
    30_000
}

fn retries_max() -> u32 {
    3
}

fn in_flight_per_worker_max() -> usize {
    1
}

fn answer_bytes_max() -> usize {
    4 << 20
}

/// What the workers of a pool speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerProtocol {
    /// What each says first tells: Majordomo 0.2 or 0.1, Paranoid Pirate, or a REQ that says it is ready.
    #[default]
    Auto,
    /// REP sockets, which say nothing before they are asked: without liveness.
    Rep,
}

/// What a message looks like to a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerCodec {
    /// Its frames.
    #[default]
    Frames,
    /// A frame of JSON with method, path, query and headers, and one with the body.
    Http,
    /// One frame as handlers of Pushpin have it: `T` and a tnetstring.
    Zhttp,
}

/// Which messages are sent again when the worker that had them is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// None.
    Never,
    /// Requests with GET, HEAD or PUT, and the messages of flows that say `idempotent = true`.
    #[default]
    Idempotent,
    /// All.
    Always,
}
