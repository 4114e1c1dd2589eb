//! The work of a shadow: makes each call of the newcomer, and of what serves where the two differ, behind all traffic.

use super::running::{Newcomer, Shadow, Taken};
use super::status::ShadowState;
use crate::flow::{Message, OwnedPlace, RecordedCall, ServedBy};
use crate::ledger::Reason;
use crate::plugin::{CallNumber, CallSeed, Plugin, Processor, Rehearsal, ReplyPolicy, Seed, StageRole};
use crate::record::compare::{Comparison, Outcome};
use crate::rehearsal::callers::Ended;
use crate::rehearsal::runner::{outcome, was_busy};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// What makes the calls.
pub(super) struct Calling {
    shadow: Arc<Shadow>,
    /// Has it serve once it may; none where it is not to by itself.
    promote: Option<Promote>,
    seed: Seed,
    serving: Serving,
    /// The number of the last call.
    number: u64,
}

/// Has a shadow serve if it may.
pub(super) type Promote = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What serves, to be called again.
struct Serving {
    by: Arc<ServedBy>,
    rehearsal: Rehearsal,
}

/// What came of a call, both ways; none where it is not known.
type Outcomes = Option<(Outcome, Outcome)>;

impl Calling {
    /// With the host's `seed`, and what serves now.
    pub(super) fn new(
        shadow: Arc<Shadow>,
        promote: Option<Promote>,
        seed: Seed,
        (by, plugin): (Arc<ServedBy>, Arc<Plugin>),
    ) -> Self {
        // The clocks of two calls that are compared tell the same.
        let seed = Seed { fixed: true, ..seed };
        Self { shadow, promote, seed, serving: Serving { by, rehearsal: Rehearsal::new(&plugin) }, number: 0 }
    }

    /// Calls until the shadow ends. Nothing that goes wrong here harms the host.
    pub(super) async fn run(mut self) {
        if AssertUnwindSafe(self.call_all()).catch_unwind().await.is_err() {
            tracing::error!(plugin = self.shadow.name(), "a shadow has failed: its work panicked; the host goes on");
            self.shadow.end(ShadowState::Ended, Some("its work panicked, and the log says where".to_owned()));
        }
        self.shadow.is_done();
    }

    async fn call_all(&mut self) {
        while let Some(((recorded, passage), _room)) = self.next().await {
            let Some(call) = recorded.call.as_ref().filter(|call| self.is_of_serving(call)) else {
                self.shadow.drop_one(passage, Reason::Superseded);
                continue;
            };
            let message =
                Message { metadata: recorded.metadata.clone(), frames: recorded.frames.clone(), ..Message::default() };
            let outcomes = match recorded.place {
                OwnedPlace::Policy(_) => self.call::<ReplyPolicy>(&message, call).await,
                OwnedPlace::Flow(_) | OwnedPlace::Route(_) => self.call::<Processor>(&message, call).await,
            };
            passage.out();
            self.note(&message, outcomes);
            if let Some(promote) = &self.promote {
                promote().await;
            }
            // Other long calls have the same threads.
            tokio::task::yield_now().await;
        }
    }

    /// The next call; none once the shadow has ended.
    async fn next(&self) -> Option<Taken> {
        let queue = &self.shadow.queue;
        let ((recorded, passage), room) = poll_fn(|context| queue.poll_take(context)).await?;
        if queue.is_closed() {
            self.shadow.drop_one(passage, Reason::Superseded);
            return None;
        }
        Some(((recorded, passage), room))
    }

    /// Whether what serves now has answered this call. After a swap the comparison begins anew: what was found of another
    /// generation says nothing of this one.
    fn is_of_serving(&mut self, call: &RecordedCall) -> bool {
        let Some(by) = &call.by else { return false };
        if by.generation <= self.serving.by.generation {
            return by.generation == self.serving.by.generation;
        }
        let Some((now, plugin)) = self.shadow.slot.serving_for_rehearsal() else { return false };
        self.serving = Serving { rehearsal: Rehearsal::new(&plugin), by: Arc::clone(&now) };
        let mut progress = self.shadow.progress();
        (progress.comparison, progress.against, progress.was_refused) = Default::default();
        progress.against = Arc::clone(&now);
        drop(progress);
        let is_newcomer = *now.digest == **self.shadow.rehearsal.plugin().digest();
        if is_newcomer && matches!(self.shadow.newcomer, Newcomer::Component(_)) {
            self.shadow.end(ShadowState::Ended, Some("the same component serves now".to_owned()));
            return false;
        }
        by.generation == now.generation
    }

    /// Makes the call of the newcomer, and if it comes to something else than it did, of what serves too: the clocks have told
    /// something else then.
    async fn call<R: StageRole>(&self, message: &Message, call: &RecordedCall) -> Outcomes {
        let new = self.make::<R>(&self.shadow.rehearsal, message, call).await;
        if was_busy(&new) {
            return None;
        }
        let new = outcome(new);
        let seen = match &call.result {
            Ok(outputs) => Outcome::Answer(outputs.clone()),
            Err((reason, detail)) => Outcome::Failure { reason: reason.as_str().into(), detail: detail.clone() },
        };
        if Comparison::is_same(&self.shadow.wanted.rules, &seen, &new) {
            return Some((seen, new));
        }
        let old = self.make::<R>(&self.serving.rehearsal, message, call).await;
        // Where that fails now, it takes a network or more time than there is: whether the newcomer differs is not known.
        let is_repeated = !was_busy(&old) && (old.is_ok() || call.result.is_err());
        is_repeated.then(|| (outcome(old), new))
    }

    async fn make<R: StageRole>(&self, of: &Rehearsal, message: &Message, call: &RecordedCall) -> Ended {
        let serving = self.serving.rehearsal.plugin();
        let call_seed = CallSeed {
            seed: self.seed,
            digest: Arc::clone(serving.digest()),
            role: serving.name_of_role(R::NAME),
            number: CallNumber::Message(call.number),
        };
        of.call::<R>(of.plugin().input::<R>(message.clone()), call_seed).await
    }

    fn note(&mut self, message: &Message, outcomes: Outcomes) {
        self.number += 1;
        let mut progress = self.shadow.progress();
        match outcomes {
            None => progress.comparison.add_undecided(),
            Some((old, new)) => {
                progress.comparison.add(&self.shadow.wanted.rules, self.number, message, &old, &new);
            }
        }
    }
}
