//! What is told of a call that somebody makes to try a plugin, beside what came out: how long it took, and what it logged.

use super::{Output, served};
use crate::http::problem::Problem;
use crate::plugin::{Answer, CallLog, KeptLog};
use serde::Serialize;
use std::time::{Duration, Instant};
use warp::reply::Response;

/// A call that is being made.
pub(super) struct Trial {
    began: Instant,
    log: KeptLog,
}

/// What is told of it.
#[derive(Serialize)]
pub(in crate::http::admin) struct TrialReport {
    /// Of the component that was called, where it is not a plugin's.
    #[serde(skip_serializing_if = "Option::is_none")]
    component_digest: Option<String>,
    duration_us: u64,
    #[serde(flatten)]
    log: CallLog,
    /// What would hold the plugin to what it did, as `examples.toml` has it; none where that is too long, or no end of a call
    /// that can be promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
}

impl Trial {
    /// Begins now, with the log that is kept of it.
    pub(super) fn begin(log: KeptLog) -> Self {
        Self { began: Instant::now(), log }
    }

    /// It is over. The guest may still end for a moment after a deadline; what it writes then is not told.
    pub(super) fn report(&self, example: Option<String>) -> TrialReport {
        let duration_us = microseconds(self.began.elapsed());
        TrialReport { component_digest: None, duration_us, log: self.log.take(), example }
    }
}

impl TrialReport {
    /// Of a call of the component with this digest, which is no plugin's.
    pub(super) fn of(self, digest: &str) -> Self {
        Self { component_digest: Some(digest.to_owned()), ..self }
    }

    /// The answer with what came of the call.
    ///
    /// # Errors
    /// When the answer cannot be written.
    pub(super) fn answer<T>(
        self,
        Answer { by, result }: Answer<T>,
        output: impl FnOnce(T) -> Output,
    ) -> Result<Response, Problem> {
        served(by.as_deref(), result.map_err(Problem::from), output, Some(self))
    }
}

/// Whole microseconds.
pub(super) fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
