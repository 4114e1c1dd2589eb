//! Compares on all processors: each takes batches of calls, makes them of both components, and keeps what differs.

use super::callers::{Callers, Ended, Pair};
use super::captured_call::{CapturedCall, Skip};
use super::selection::Skipped;
use crate::config::{BUSY_LOAD_PAUSE_MS, BUSY_LOAD_TRIES, COMPARE_AGAIN_BYTES_MAX, COMPARE_AGAIN_MAX};
use crate::plugin::{CallError, DurationCounts, Rehearsal};
use crate::record::compare::{Class, Comparison, Outcome, Rules};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// How far it is.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) compared: AtomicU64,
    pub(crate) differing: AtomicU64,
}

/// What came of all calls.
pub(crate) struct Compared {
    pub(crate) comparison: Comparison,
    pub(crate) skipped: Skipped,
    pub(crate) old: Cost,
    pub(crate) new: Cost,
}

/// What the calls of one component took.
pub(crate) struct Cost {
    pub(crate) durations: DurationCounts,
    pub(crate) memory_bytes: usize,
}

/// Makes all calls of both, on so many threads.
///
/// # Errors
/// When one of them panics.
pub(crate) async fn compare(
    pair: &Pair,
    rules: &Arc<Rules>,
    batches: mpsc::Receiver<Vec<CapturedCall>>,
    threads: usize,
    progress: &Arc<Progress>,
) -> Result<Compared, String> {
    let batches = Arc::new(Mutex::new(batches));
    let mut tasks = JoinSet::new();
    for _ in 0..threads {
        let worker = Worker::new(pair, rules, progress);
        tasks.spawn(worker.work(Arc::clone(&batches)));
    }
    let mut whole = Worker::new(pair, rules, progress);
    let (mut again, mut costs) = (Vec::new(), Vec::new());
    while let Some(ended) = tasks.join_next().await {
        let worker = ended.map_err(|error| format!("a thread that compares has ended: {error}"))?;
        whole.comparison.merge(worker.comparison);
        whole.no_role += worker.no_role;
        again.extend(worker.again.calls);
        costs.push(worker.callers);
    }
    for call in again {
        whole.try_alone(call).await;
    }
    let Worker { comparison, no_role, callers, .. } = whole;
    costs.push(callers);
    let skipped = if no_role > 0 { Skipped::from([(Skip::NoRole, no_role)]) } else { Skipped::new() };
    let of = |side: fn(&Callers) -> &Rehearsal| Cost::of(costs.iter().map(side));
    Ok(Compared { comparison, skipped, old: of(|callers| &callers.old), new: of(|callers| &callers.new) })
}

struct Worker {
    pair: Pair,
    callers: Callers,
    rules: Arc<Rules>,
    progress: Arc<Progress>,
    comparison: Comparison,
    no_role: u64,
    again: Again,
}

/// Calls that are to be tried again when nothing else runs.
#[derive(Default)]
struct Again {
    calls: Vec<CapturedCall>,
    bytes: usize,
}

impl Worker {
    fn new(pair: &Pair, rules: &Arc<Rules>, progress: &Arc<Progress>) -> Self {
        Self {
            pair: pair.clone(),
            callers: Callers::of(pair),
            rules: Arc::clone(rules),
            progress: Arc::clone(progress),
            comparison: Comparison::default(),
            no_role: 0,
            again: Again::default(),
        }
    }

    async fn work(mut self, batches: Arc<Mutex<mpsc::Receiver<Vec<CapturedCall>>>>) -> Self {
        loop {
            let batch = batches.lock().await.recv().await;
            let Some(batch) = batch else { return self };
            for call in batch {
                self.try_first(call).await;
            }
            // Threads of the runtime are shared with the timers of calls that take long.
            tokio::task::yield_now().await;
        }
    }

    async fn try_first(&mut self, call: CapturedCall) {
        if !self.pair.has_role(call.role) {
            self.no_role += 1;
            return;
        }
        let (call, old, new) = call.make(&self.callers).await;
        let both_late =
            matches!((&old, &new), (Err(CallError::DeadlineExceeded(_)), Err(CallError::DeadlineExceeded(_))));
        let may_be_of_machine = !both_late && (may_be_of_machine(&old) || may_be_of_machine(&new));
        let Some(call) = (if may_be_of_machine { self.again.take(call) } else { Some(call) }) else { return };
        self.decide(&call, old, new);
    }

    /// Tries a call that this machine may have had no time for.
    async fn try_alone(&mut self, call: CapturedCall) {
        let (mut call, mut old, mut new) = call.make(&self.callers).await;
        for _ in 1..BUSY_LOAD_TRIES {
            if !was_busy(&old) && !was_busy(&new) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(BUSY_LOAD_PAUSE_MS)).await;
            (call, old, new) = call.make(&self.callers).await;
        }
        self.decide(&call, old, new);
    }

    fn decide(&mut self, call: &CapturedCall, old: Ended, new: Ended) {
        self.progress.compared.fetch_add(1, Ordering::Relaxed);
        if was_busy(&old) || was_busy(&new) {
            return self.comparison.add_undecided();
        }
        let (old, new) = (outcome(old), outcome(new));
        if self.comparison.add(&self.rules, call.number, &call.message, &old, &new) != Class::Same {
            self.progress.differing.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Again {
    /// Gives the call back if there is no room for it.
    fn take(&mut self, call: CapturedCall) -> Option<CapturedCall> {
        let bytes = self.bytes + call.message.bytes();
        if self.calls.len() >= COMPARE_AGAIN_MAX || bytes > COMPARE_AGAIN_BYTES_MAX {
            return Some(call);
        }
        self.bytes = bytes;
        self.calls.push(call);
        None
    }
}

/// Whether another try may end otherwise: deadlines are told by the clock on the wall.
fn may_be_of_machine(ended: &Ended) -> bool {
    was_busy(ended) || matches!(ended, Err(CallError::DeadlineExceeded(_)))
}

/// Whether the machine, and not the component, kept the call from its end.
pub(super) fn was_busy(ended: &Ended) -> bool {
    ended.as_ref().is_err_and(CallError::is_too_busy)
}

pub(super) fn outcome(ended: Ended) -> Outcome {
    match ended {
        Ok(outputs) => Outcome::Answer(outputs),
        Err(error) => Outcome::Failure { reason: error.reason().as_str().into(), detail: error.to_string() },
    }
}

impl Cost {
    fn of<'a>(callers: impl Iterator<Item = &'a Rehearsal>) -> Self {
        let none = Self { durations: DurationCounts::default(), memory_bytes: 0 };
        callers.fold(none, |Self { durations, memory_bytes }, caller| Self {
            durations: durations.plus(&caller.durations()),
            memory_bytes: memory_bytes.max(caller.memory_bytes()),
        })
    }
}
