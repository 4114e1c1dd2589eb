//! A pool of workers, as the operator sees it.

use futures_util::future::BoxFuture;
use serde::Serialize;

/// Tells of the workers of a pool, and lets one go.
pub trait Pool: Send + Sync {
    /// The pool with its workers as they are now.
    ///
    /// # Errors
    /// When it has ended, or does not answer.
    fn list(&self) -> BoxFuture<'static, Result<PoolStatus, String>>;

    /// Gives a worker no more messages, and lets it go once it has answered those that it has.
    ///
    /// # Errors
    /// As [`Self::list`]. Returns false if there is no such worker.
    fn drain(&self, worker: u64) -> BoxFuture<'static, Result<bool, String>>;
}

/// A pool with its workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolStatus {
    /// Its name.
    pub name: String,
    /// Where workers connect, with the real ports.
    pub endpoints: Vec<String>,
    /// Workers that could take a message.
    pub idle: u64,
    /// Workers that have as many messages as they may.
    pub busy: u64,
    /// Messages that wait for a worker.
    pub queue_messages: u64,
    /// Messages that workers have.
    pub in_flight: u64,
    /// Messages that were answered.
    pub done: u64,
    /// Messages that were sent again, since the worker that had them was lost.
    pub retries: u64,
    /// Answers that came too late.
    pub late: u64,
    /// Microseconds from a worker's taking a message to its answer, on average; none before the first.
    pub mean_us: Option<u64>,
    /// In the order in which they came.
    pub workers: Vec<WorkerStatus>,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerStatus {
    /// Its number in the pool, from 1, which no other gets; 0 for a REP worker, of which only its address is known.
    pub id: u64,
    /// Its identity: as it is where that is plain text, else `0x` and its bytes in hexadecimal.
    pub identity: String,
    /// What it speaks: `mdp-0.2`, `mdp-0.1`, `ppp`, `req`, `rep`.
    pub protocol: &'static str,
    /// What it does.
    pub state: WorkerState,
    /// Its address, if it has one.
    pub address: Option<String>,
    /// The CURVE key that it showed, in Z85.
    pub key: Option<String>,
    /// Milliseconds since it came.
    pub connected_ms: u64,
    /// Milliseconds since something of it came; none where nothing is expected to.
    pub silent_ms: Option<u64>,
    /// Messages that it has.
    pub in_flight: u64,
    /// Messages that it has answered.
    pub done: u64,
    /// Microseconds that it took for each, on average; none before the first.
    pub mean_us: Option<u64>,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerState {
    /// It waits for a message.
    Idle,
    /// It has one.
    Busy,
    /// It has one, and gets no more.
    Draining,
    /// It has none, and gets no more.
    Drained,
}
