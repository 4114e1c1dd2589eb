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

/// How a comparison goes about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How many calls are made at the same time.
    pub(crate) threads: usize,
    /// Once more inputs differ, those behind them are not looked at.
    pub(crate) differing_max: u64,
    /// Whether a call that the machine may have had no time for is tried again at once, rather than when all others are done.
    pub(crate) tries_at_once: bool,
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
    let manner = Manner { threads, differing_max: u64::MAX, tries_at_once: false };
    compare_as(manner, pair, rules, batches, progress).await
}

/// As [`compare`], where something else is wanted than all that differs.
///
/// # Errors
/// When a thread panics.
pub(crate) async fn compare_as(
    manner: Manner,
    pair: &Pair,
    rules: &Arc<Rules>,
    batches: mpsc::Receiver<Vec<CapturedCall>>,
    progress: &Arc<Progress>,
) -> Result<Compared, String> {
    let batches = Arc::new(Mutex::new(batches));
    let last = Arc::new(AtomicU64::new(u64::MAX));
    let worker = || Worker::new(manner, pair, rules, progress, &last);
    let mut tasks = JoinSet::new();
    for _ in 0..manner.threads {
        tasks.spawn(worker().work(Arc::clone(&batches)));
    }
    // The threads alone hold it: whoever reads learns from its end that no more is wanted.
    drop(batches);
    let mut whole = worker();
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
    manner: Manner,
    pair: Pair,
    callers: Callers,
    rules: Arc<Rules>,
    progress: Arc<Progress>,
    comparison: Comparison,
    no_role: u64,
    again: Again,
    /// The last input that has to be looked at, by its number: there more differed than may.
    last: Arc<AtomicU64>,
}

/// Calls that are to be tried again when nothing else runs.
#[derive(Default)]
struct Again {
    calls: Vec<CapturedCall>,
    bytes: usize,
}

impl Worker {
    fn new(manner: Manner, pair: &Pair, rules: &Arc<Rules>, progress: &Arc<Progress>, last: &Arc<AtomicU64>) -> Self {
        Self {
            manner,
            last: Arc::clone(last),
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
                // Batches come in the order of the file, so that those before the last one are made whoever has them.
                if call.number > self.last.load(Ordering::Relaxed) {
                    return self;
                }
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
        if may_be_of_machine && self.manner.tries_at_once {
            return self.try_alone(call).await;
        }
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
            let differing = self.progress.differing.fetch_add(1, Ordering::Relaxed) + 1;
            if differing > self.manner.differing_max {
                self.last.fetch_min(call.number, Ordering::Relaxed);
            }
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
