//! One shadow: what the traffic's threads put in, within bounds, and what has come of it.

use super::asked::{Terms, Wanted};
use super::status::{Against, ShadowState, ShadowStatus};
use crate::config::{SHADOW_QUEUE_BYTES_MAX, SHADOW_QUEUE_CALLS_MAX};
use crate::flow::mailbox::{Mailbox, PushError, Room};
use crate::flow::{Recorded, RecordedCall, Recorder, ServedBy, Subject};
use crate::ledger::{Hop, Passage, Reason};
use crate::plugin::{DurationCounts, Plugin, Rehearsal, Slot};
use crate::record::compare::{Comparison, DifferenceBound, reported};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What serves once a shadow is promoted.
pub(super) enum Newcomer {
    /// A component.
    Component(Arc<Vec<u8>>),
    /// What serves, with these settings; and those of them that were asked for.
    Settings { all: BTreeMap<String, String>, asked: BTreeMap<String, String> },
}

/// A call that waits, and its place in the queue.
pub(super) type Taken = ((Arc<Recorded>, Passage), Room);

/// A shadow that runs, or has ended.
pub(super) struct Shadow {
    pub(super) slot: Arc<Slot>,
    /// What is called.
    pub(super) rehearsal: Rehearsal,
    pub(super) newcomer: Newcomer,
    pub(super) wanted: Wanted,
    pub(super) queue: Mailbox<(Arc<Recorded>, Passage)>,
    hop: Arc<Hop>,
    began: jiff::Timestamp,
    dropped: AtomicU64,
    /// Nothing is called any more.
    is_over: AtomicBool,
    progress: Mutex<Progress>,
}

/// What has come of it.
pub(super) struct Progress {
    pub(super) state: ShadowState,
    /// Why it ended, or does not serve though it is to serve by itself.
    pub(super) why: Option<String>,
    /// What the comparison is with.
    pub(super) against: Arc<ServedBy>,
    pub(super) comparison: Comparison,
    /// Whether it was to serve by itself and could not.
    pub(super) was_refused: bool,
}

impl Shadow {
    pub(super) fn new(
        slot: Arc<Slot>,
        plugin: &Plugin,
        newcomer: Newcomer,
        wanted: Wanted,
        against: Arc<ServedBy>,
        hop: Arc<Hop>,
    ) -> Self {
        let progress = Progress {
            state: ShadowState::Running,
            why: None,
            against,
            comparison: Comparison::default(),
            was_refused: false,
        };
        Self {
            slot,
            rehearsal: Rehearsal::new(plugin),
            newcomer,
            wanted,
            queue: Mailbox::new(SHADOW_QUEUE_CALLS_MAX, SHADOW_QUEUE_BYTES_MAX),
            hop,
            began: jiff::Timestamp::now(),
            dropped: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            progress: Mutex::new(progress),
        }
    }

    /// The name of the plugin that it stands beside.
    pub(super) fn name(&self) -> &str {
        self.slot.name()
    }

    pub(super) fn is_running(&self) -> bool {
        self.progress().state == ShadowState::Running
    }

    /// It ends for this reason, unless it has ended before.
    pub(super) fn end(&self, state: ShadowState, why: Option<String>) {
        let mut progress = self.progress();
        if progress.state == ShadowState::Running {
            (progress.state, progress.why) = (state, why);
        }
        drop(progress);
        self.queue.close();
    }

    /// Gives up what still waits. Nothing is called any more.
    pub(super) fn is_done(&self) {
        let mut left = VecDeque::new();
        self.queue.take_all(&mut left);
        left.into_iter().for_each(|((_, passage), _room)| self.drop_one(passage, Reason::Superseded));
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether nothing is called any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call that was taken in is not made.
    pub(super) fn drop_one(&self, passage: Passage, reason: Reason) {
        passage.dropped(reason);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn refuse(&self, reason: Reason) {
        self.hop.refuse(reason);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn status(&self) -> ShadowStatus {
        let us = |durations: &DurationCounts, percent| {
            durations.percentile(percent).map(|time| time.as_nanos() as f64 / 1_000.0)
        };
        let (durations, serving) = (self.rehearsal.durations(), self.slot.durations());
        let progress = self.progress();
        let obstacle = progress.check(self.wanted.terms).err();
        let counts = *progress.comparison.counts();
        ShadowStatus {
            plugin: self.name().to_owned(),
            state: progress.state,
            why: progress.why.clone(),
            began: self.began.to_string(),
            digest: self.rehearsal.plugin().digest().to_string(),
            against: Against {
                generation: progress.against.generation,
                digest: progress.against.digest.clone(),
                p50_us: us(&serving, 50),
                p99_us: us(&serving, 99),
            },
            percent: self.wanted.percent,
            min_calls: self.wanted.terms.min_calls,
            max_diff: self.wanted.terms.max_diff.to_string(),
            auto: self.wanted.auto,
            set: match &self.newcomer {
                Newcomer::Component(_) => BTreeMap::new(),
                Newcomer::Settings { asked, .. } => asked.clone(),
            },
            may_serve: progress.state == ShadowState::Running && obstacle.is_none(),
            obstacle,
            compared: counts.compared(),
            differing: counts.differing(),
            counts,
            dropped: self.dropped.load(Ordering::Relaxed),
            p50_us: us(&durations, 50),
            p99_us: us(&durations, 99),
            memory_bytes: self.rehearsal.memory_bytes(),
            groups: reported(&progress.comparison),
            other_differences: progress.comparison.other(),
        }
    }
}

impl Progress {
    /// Whether the newcomer may serve.
    ///
    /// # Errors
    /// Says why not.
    pub(super) fn check(&self, Terms { min_calls, max_diff }: Terms) -> Result<(), String> {
        let counts = self.comparison.counts();
        let compared = counts.compared();
        // What is over a number stays so, however many calls follow.
        let is_over = matches!(max_diff, DifferenceBound::Inputs(max) if counts.differing() > max);
        if compared < min_calls && !is_over {
            return Err(format!("{compared} calls were compared, and it takes {min_calls}"));
        }
        max_diff.check(counts, 0)
    }
}

impl Recorder for Shadow {
    fn wants(&self, subject: &Subject<'_>) -> bool {
        subject.mark <= self.wanted.mark_max && subject.plugin == Some(self.name())
    }

    fn record(&self, recorded: &Arc<Recorded>) {
        // Where no plugin was reached there is nothing to compare with.
        if !matches!(&recorded.call, Some(RecordedCall { by: Some(_), .. })) {
            return;
        }
        let bytes = recorded.bytes();
        if bytes > SHADOW_QUEUE_BYTES_MAX {
            return self.refuse(Reason::TooLarge);
        }
        match self.queue.push(bytes, || (Arc::clone(recorded), self.hop.enter())) {
            // It has ended, and this came after the end.
            Ok(()) | Err(PushError::Closed) => {}
            Err(PushError::TooManyItems | PushError::TooManyBytes) => self.refuse(Reason::QueueFull),
        }
    }
}
