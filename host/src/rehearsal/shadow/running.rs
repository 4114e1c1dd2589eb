//! One shadow: what the traffic's threads put in, within bounds, and what has come of it.

use super::asked::{Terms, Wanted};
use super::live::{Beside, Figures, Live};
use super::status::{Against, ShadowState, ShadowStatus};
use crate::config::{ADMIN_SHADOW_GROUPS_MAX, SHADOW_QUEUE_BYTES_MAX, SHADOW_QUEUE_CALLS_MAX};
use crate::flow::mailbox::{Mailbox, PushError, Room};
use crate::flow::{Recorded, Recorder, Subject};
use crate::ledger::{Hop, Passage, Reason};
use crate::record::compare::{Comparison, DifferenceBound, ReportedGroup, reported, reported_in_short};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// A call that waits, and its place in the queue.
pub(super) type Taken = ((Arc<Recorded>, Passage), Room);

/// Whether what was compared still is what it was, generations of plugins and the steps of a flow.
pub(super) type Holds = Box<dyn Fn(&Against) -> bool + Send + Sync>;

/// A shadow that runs, or has ended.
pub(super) struct Shadow {
    pub(super) beside: Beside,
    pub(super) wanted: Wanted,
    pub(super) queue: Mailbox<(Arc<Recorded>, Passage)>,
    /// It has ended: what runs for it is given up.
    pub(super) ended: CancellationToken,
    holds: Holds,
    hop: Arc<Hop>,
    began: jiff::Timestamp,
    dropped: AtomicU64,
    /// Nothing is called any more.
    is_over: AtomicBool,
    /// Taken under the lock of a slot's history, and never the other way round.
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
    /// It was to serve by itself and could not, and is not tried again before this; none if it is not tried again at all.
    pub(super) refused: Option<Option<Instant>>,
    /// What is called; none once it has ended.
    pub(super) live: Option<Live>,
    /// What was known of that at the end.
    figures: Figures,
}

impl Shadow {
    pub(super) fn new(
        beside: Beside,
        live: Live,
        wanted: Wanted,
        against: Against,
        holds: Holds,
        hop: Arc<Hop>,
    ) -> Self {
        let (why, comparison, refused) = Default::default();
        let figures = live.figures();
        let state = ShadowState::Running;
        let progress = Progress { state, why, against, comparison, refused, live: Some(live), figures };
        Self {
            beside,
            wanted,
            queue: Mailbox::new(SHADOW_QUEUE_CALLS_MAX, SHADOW_QUEUE_BYTES_MAX),
            ended: CancellationToken::new(),
            holds,
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
        self.ended.cancel();
    }

    /// It has taken the place of what served.
    pub(super) fn is_promoted(&self, why: String) {
        let mut progress = self.progress();
        (progress.state, progress.why) = (ShadowState::Promoted, Some(why));
        drop(progress);
        self.queue.close();
        self.ended.cancel();
    }

    /// It is compared with this from now on, and what was found of something else is forgotten.
    pub(super) fn begin_anew(&self, against: Against, live: Option<Live>) {
        let mut progress = self.progress();
        (progress.comparison, progress.refused, progress.why) = Default::default();
        progress.against = against;
        // One that has ended meanwhile stays so.
        if progress.live.is_some() && live.is_some() {
            progress.live = live;
        }
    }

    /// Gives up what still waits, and lets go of what was called. From now on nothing is called.
    pub(super) fn finish(&self, taken: VecDeque<Taken>) {
        let mut left = taken;
        self.queue.take_all(&mut left);
        left.into_iter().for_each(|((_, passage), _room)| self.drop_one(passage, Reason::Superseded));
        let mut progress = self.progress();
        if let Some(live) = progress.live.take() {
            progress.figures = live.figures();
        }
        drop(progress);
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Whether nothing is called any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may serve.
    ///
    /// # Errors
    /// Says why not.
    pub(super) fn check(&self, terms: Terms) -> Result<(), String> {
        // The slots are asked while nothing is locked.
        let against = self.progress().against.clone();
        if !(self.holds)(&against) {
            return Err(
                "something else serves by now than it was compared with, which the next call begins anew".to_owned()
            );
        }
        self.progress().check(terms)
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
        let obstacle = self.check(self.wanted.terms).err();
        let progress = self.progress();
        let figures = progress.live.as_ref().map_or_else(|| progress.figures.clone(), Live::figures);
        let is_running = progress.state == ShadowState::Running;
        // What was refused for good is not asked for once more.
        let obstacle =
            obstacle.or_else(|| progress.why.clone().filter(|_| is_running && progress.refused == Some(None)));
        let counts = *progress.comparison.counts();
        let (groups, other_differences) = groups(&progress.comparison);
        let Against { generation, digest, through, generations, .. } = progress.against.clone();
        let (p50_us, p99_us) = figures.of_serving;
        ShadowStatus {
            plugin: self.beside.plugin().to_owned(),
            flow: self.beside.flow().to_owned(),
            state: progress.state,
            why: progress.why.clone(),
            began: self.began.to_string(),
            digest: figures.digest,
            through: self.beside.through().to_vec(),
            against: Against { generation, digest, through, generations, p50_us, p99_us },
            percent: self.wanted.percent,
            min_calls: self.wanted.terms.min_calls,
            max_diff: self.wanted.terms.max_diff.to_string(),
            auto: self.wanted.auto,
            set: self.beside.set().clone(),
            may_serve: is_running && obstacle.is_none(),
            obstacle,
            compared: counts.compared(),
            differing: counts.differing(),
            counts,
            dropped: self.dropped.load(Ordering::Relaxed),
            p50_us: figures.of_shadow.0,
            p99_us: figures.of_shadow.1,
            memory_bytes: figures.memory_bytes,
            groups,
            other_differences,
        }
    }
}

impl Progress {
    /// Whether the newcomer may serve by what was compared.
    ///
    /// # Errors
    /// Says why not.
    pub(super) fn check(&self, Terms { min_calls, max_diff }: Terms) -> Result<(), String> {
        let counts = self.comparison.counts();
        let compared = counts.compared();
        // What is over a number stays so, however many calls follow.
        let is_exceeded = matches!(max_diff, DifferenceBound::Inputs(max) if counts.differing() > max);
        if compared < min_calls && !is_exceeded {
            return Err(format!("{compared} calls were compared, and it takes {min_calls}"));
        }
        max_diff.check(counts, 0)
    }
}

impl Recorder for Shadow {
    fn wants(&self, subject: &Subject<'_>) -> bool {
        subject.mark <= self.wanted.mark_max && self.beside.is_called_on(subject)
    }

    fn record(&self, recorded: &Arc<Recorded>) {
        if !self.beside.takes(recorded.call.as_ref()) {
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
