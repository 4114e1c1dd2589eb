//! What the configuration says of a pool, as its core needs it.

use crate::config::{self, Retry, WorkerCodec};
use std::time::Duration;

/// Times, bounds and policies.
pub(in crate::messaging::workers) struct CoreSettings {
    /// The service that workers have to name, where their protocol has names.
    pub(in crate::messaging::workers) service: String,
    pub(in crate::messaging::workers) codec: WorkerCodec,
    pub(in crate::messaging::workers) heartbeat: Duration,
    pub(in crate::messaging::workers) wait_max: Duration,
    pub(in crate::messaging::workers) deadline: Duration,
    pub(in crate::messaging::workers) retry: Retry,
    pub(in crate::messaging::workers) retries_max: u32,
    pub(in crate::messaging::workers) in_flight_per_worker_max: usize,
    pub(in crate::messaging::workers) answer_bytes_max: usize,
    /// What all answers that wait may take together.
    pub(in crate::messaging::workers) queue_bytes_max: usize,
}

impl CoreSettings {
    pub(in crate::messaging::workers) fn new(
        service: &str,
        config: &config::WorkerPool,
        queue_bytes_max: usize,
    ) -> Self {
        let ms = Duration::from_millis;
        Self {
            service: service.to_owned(),
            codec: config.codec,
            heartbeat: ms(config.heartbeat_ms),
            wait_max: ms(config.wait_ms_max),
            deadline: ms(config.deadline_ms),
            retry: config.retry,
            retries_max: config.retries_max,
            in_flight_per_worker_max: config.in_flight_per_worker_max,
            answer_bytes_max: config.answer_bytes_max,
            queue_bytes_max,
        }
    }
}
