//! What is counted of a pool: the loop writes, and any thread reads.

use crate::flow::{PoolStatus, Statistics};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Why what a peer sent was no command of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is of no protocol.
    Unknown,
    /// Its frames are not those of a command.
    Malformed,
    /// It does not fit in with what came before.
    Unexpected,
    /// It names another service.
    WrongService,
    /// There was too much of it.
    Flood,
}

impl Refused {
    const ALL: [Self; 5] = [Self::Unknown, Self::Malformed, Self::Unexpected, Self::WrongService, Self::Flood];

    fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown-protocol",
            Self::Malformed => "malformed",
            Self::Unexpected => "unexpected",
            Self::WrongService => "wrong-service",
            Self::Flood => "flood",
        }
    }
}

/// Counters and gauges.
#[derive(Debug, Default)]
pub(super) struct PoolCounts {
    workers: AtomicUsize,
    ready: AtomicUsize,
    waiting: AtomicUsize,
    in_hand: AtomicUsize,
    silence_ms: AtomicU64,
    done: AtomicU64,
    took_us: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) late: AtomicU64,
    /// Workers that went, were silent, or were ended.
    pub(super) lost: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
}

impl PoolCounts {
    pub(super) fn set(&self, workers: usize, ready: usize, waiting: usize, in_hand: usize) {
        for (gauge, value) in
            [(&self.workers, workers), (&self.ready, ready), (&self.waiting, waiting), (&self.in_hand, in_hand)]
        {
            gauge.store(value, Ordering::Relaxed);
        }
    }

    /// For so long the worker was silent that has been for longest.
    pub(super) fn set_silence(&self, longest: Duration) {
        self.silence_ms.store(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A worker has answered, after so long.
    pub(super) fn note_done(&self, took: Duration) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.took_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, what: Refused) {
        self.refused[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many workers there are.
    pub(super) fn workers(&self) -> usize {
        self.workers.load(Ordering::Relaxed)
    }

    /// Without the names and the workers.
    pub(super) fn status(&self) -> PoolStatus {
        let gauge = |gauge: &AtomicUsize| gauge.load(Ordering::Relaxed) as u64;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (workers, ready, done) = (gauge(&self.workers), gauge(&self.ready), count(&self.done));
        PoolStatus {
            idle: ready,
            busy: workers.saturating_sub(ready),
            queue_messages: gauge(&self.waiting),
            in_flight: gauge(&self.in_hand),
            done,
            retries: count(&self.retries),
            late: count(&self.late),
            mean_us: count(&self.took_us).checked_div(done),
            ..PoolStatus::default()
        }
    }

    /// Adds all of them, under the name of the pool.
    pub(super) fn add_to(&self, statistics: &mut Statistics, name: &str) {
        let mut counted = statistics.of(Some(("pool", name)));
        let status = self.status();
        counted.gauges_by(
            ("workers", None, "Workers, by what they do"),
            "state",
            [("idle", status.idle), ("busy", status.busy)],
        );
        counted.gauge(("workers_waiting_messages", None, "Messages that wait for a worker"), status.queue_messages);
        counted.gauge(("workers_in_flight_messages", None, "Messages that workers have"), status.in_flight);
        counted.gauge(
            (
                "workers_silent_longest_milliseconds",
                None,
                "Since the last heartbeat of the worker that is silent for longest",
            ),
            self.silence_ms.load(Ordering::Relaxed),
        );
        counted.counter(("workers_done_messages", None, "Messages that workers have answered"), status.done);
        counted.counter(
            ("workers_time_microseconds", None, "Time that workers took for them together, in microseconds"),
            self.took_us.load(Ordering::Relaxed),
        );
        counted.counter(
            (
                "workers_retried_messages",
                None,
                "Messages that were given back by a worker that was lost, and sent again",
            ),
            status.retries,
        );
        counted.counter(("workers_late_answers", None, "Answers that came too late"), status.late);
        counted.counter(
            ("workers_lost", None, "Workers that went, were silent, or whose service was ended"),
            self.lost.load(Ordering::Relaxed),
        );
        counted.counters_by(
            ("workers_commands_refused", None, "What peers sent that is no command of a worker, by reason"),
            "reason",
            Refused::ALL.map(|refused| (refused.as_str(), self.refused[refused as usize].load(Ordering::Relaxed))),
        );
    }
}
