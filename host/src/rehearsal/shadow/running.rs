//! One shadow: what the traffic's threads put in, within bounds, and what has come of it.

use super::asked::{Terms, Wanted};
use super::status::{Against, ShadowState, ShadowStatus};
use crate::config::{ADMIN_SHADOW_GROUPS_MAX, SHADOW_QUEUE_BYTES_MAX, SHADOW_QUEUE_CALLS_MAX};
use crate::flow::mailbox::{Mailbox, PushError, Room};
use crate::flow::{Place, Recorded, RecordedCall, Recorder, Subject};
use crate::ledger::{Hop, Passage, Reason};
use crate::plugin::{DurationCounts, Rehearsal, Slot};
use crate::record::compare::{Comparison, DifferenceBound, ReportedGroup, reported, reported_in_short};
use crate::rehearsal::chain::Whole;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is called, and what serves once it is promoted.
pub(super) enum Newcomer {
    /// A component beside a plugin.
    Component { slot: Arc<Slot>, bytes: Arc<Vec<u8>>, rehearsal: Arc<Rehearsal> },
    /// What serves itself, with these settings; and those of them that were asked for.
    Settings {
        slot: Arc<Slot>,
        all: BTreeMap<String, String>,
        asked: BTreeMap<String, String>,
        rehearsal: Arc<Rehearsal>,
    },
    /// Other plugins in a flow.
    Chain { flow: String, through: Vec<String>, cost: Arc<Whole> },
}

/// A call that waits, and its place in the queue.
pub(super) type Taken = ((Arc<Recorded>, Passage), Room);

/// A shadow that runs, or has ended.
pub(super) struct Shadow {
    /// What it stands beside: the name of a plugin, or `flows.NAME`.
    pub(super) key: String,
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
    pub(super) against: Against,
    pub(super) comparison: Comparison,
    /// Whether it was to serve by itself and could not.
    pub(super) was_refused: bool,
}

impl Shadow {
    pub(super) fn new(key: String, newcomer: Newcomer, wanted: Wanted, against: Against, hop: Arc<Hop>) -> Self {
        let (why, comparison, was_refused) = Default::default();
        let progress = Progress { state: ShadowState::Running, why, against, comparison, was_refused };
        Self {
            key,
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

    /// It is compared with this from now on, and what was found of something else is forgotten.
    pub(super) fn begin_anew(&self, against: Against) {
        let mut progress = self.progress();
        (progress.comparison, progress.was_refused, progress.why) = Default::default();
        progress.against = against;
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

    /// All that is known of it.
    pub(super) fn status(&self) -> ShadowStatus {
        self.told(|comparison| (reported(comparison), comparison.other()))
    }

    /// The same without inputs, and with no more groups than are shown each second.
    pub(super) fn in_short(&self) -> ShadowStatus {
        self.told(|comparison| reported_in_short(comparison, ADMIN_SHADOW_GROUPS_MAX))
    }

    /// `groups` gives those that are told, and how many differences are of others.
    fn told(&self, groups: impl FnOnce(&Comparison) -> (Vec<ReportedGroup>, u64)) -> ShadowStatus {
        let us = |durations: &DurationCounts, percent| {
            durations.percentile(percent).map(|time| time.as_nanos() as f64 / 1_000.0)
        };
        let (slot, durations) = (self.newcomer.slot(), self.newcomer.durations());
        let serving = slot.map(|slot| slot.durations());
        let of_serving = |percent| serving.as_ref().and_then(|serving| us(serving, percent));
        let progress = self.progress();
        let obstacle = progress.check(self.wanted.terms).err();
        let counts = *progress.comparison.counts();
        let of_flow = match &self.newcomer {
            Newcomer::Chain { flow, through, .. } => (flow.clone(), through.clone()),
            _ => Default::default(),
        };
        let (groups, other_differences) = groups(&progress.comparison);
        ShadowStatus {
            plugin: slot.map(|slot| slot.name().to_owned()).unwrap_or_default(),
            flow: of_flow.0,
            state: progress.state,
            why: progress.why.clone(),
            began: self.began.to_string(),
            digest: self.newcomer.digest().to_owned(),
            through: of_flow.1,
            against: Against { p50_us: of_serving(50), p99_us: of_serving(99), ..progress.against.clone() },
            percent: self.wanted.percent,
            min_calls: self.wanted.terms.min_calls,
            max_diff: self.wanted.terms.max_diff.to_string(),
            auto: self.wanted.auto,
            set: match &self.newcomer {
                Newcomer::Settings { asked, .. } => asked.clone(),
                _ => BTreeMap::new(),
            },
            may_serve: progress.state == ShadowState::Running && obstacle.is_none(),
            obstacle,
            compared: counts.compared(),
            differing: counts.differing(),
            counts,
            dropped: self.dropped.load(Ordering::Relaxed),
            p50_us: us(&durations, 50),
            p99_us: us(&durations, 99),
            memory_bytes: self.newcomer.memory_bytes(),
            groups,
            other_differences,
        }
    }
}

impl Newcomer {
    /// The plugin that it stands beside.
    pub(super) fn slot(&self) -> Option<&Arc<Slot>> {
        match self {
            Self::Component { slot, .. } | Self::Settings { slot, .. } => Some(slot),
            Self::Chain { .. } => None,
        }
    }

    fn durations(&self) -> DurationCounts {
        match self {
            Self::Component { rehearsal, .. } | Self::Settings { rehearsal, .. } => rehearsal.durations(),
            Self::Chain { cost, .. } => cost.durations.read(),
        }
    }

    /// Of a chain nothing is known.
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Component { rehearsal, .. } | Self::Settings { rehearsal, .. } => rehearsal.memory_bytes(),
            Self::Chain { .. } => 0,
        }
    }

    fn digest(&self) -> &str {
        match self {
            Self::Component { rehearsal, .. } | Self::Settings { rehearsal, .. } => rehearsal.plugin().digest(),
            Self::Chain { .. } => "",
        }
    }

    /// Whether it is compared with what was made of this.
    fn is_called_on(&self, call: Option<&RecordedCall>) -> bool {
        match self {
            // Where no plugin was reached there is nothing to compare with.
            Self::Component { .. } | Self::Settings { .. } => call.is_some_and(|call| call.by.is_some()),
            Self::Chain { .. } => call.is_none_or(|call| call.stage == 0),
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
        let is_of_it = || match &self.newcomer {
            Newcomer::Component { slot, .. } | Newcomer::Settings { slot, .. } => subject.plugin == Some(slot.name()),
            Newcomer::Chain { flow, .. } => subject.place == Place::Flow(flow),
        };
        subject.mark <= self.wanted.mark_max && is_of_it()
    }

    fn record(&self, recorded: &Arc<Recorded>) {
        if !self.newcomer.is_called_on(recorded.call.as_ref()) {
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
