//! A newcomer beside a plugin: what it makes of each call is compared with what the plugin made of it.

use super::calling::{Trial, Tried};
use super::live::Live;
use super::running::Shadow;
use super::status::{Against, ShadowState};
use crate::buckets::CallBuckets;
use crate::flow::{Message, OwnedPlace, Recorded, RecordedCall, ServedBy};
use crate::plugin::{
    CallError, CallNumber, CallSeed, Plugin, Processor, Rehearsal, ReplyPolicy, Seed, Slot, Slots, StageRole,
};
use crate::record::compare::{Comparison, Outcome, Rules};
use crate::rehearsal::callers::Ended;
use crate::rehearsal::runner::{outcome, was_busy};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// The newcomer, and what it stands beside.
pub(super) struct BesidePlugin {
    slots: Arc<Slots>,
    slot: Arc<Slot>,
    newcomer: Arc<Rehearsal>,
    /// The component; none of what serves itself under other settings.
    bytes: Option<Arc<Vec<u8>>>,
    seed: Seed,
    by: Arc<ServedBy>,
    serving: Rehearsal,
}

impl BesidePlugin {
    /// With what serves now.
    pub(super) fn new(
        slots: Arc<Slots>,
        slot: Arc<Slot>,
        newcomer: Arc<Rehearsal>,
        bytes: Option<Arc<Vec<u8>>>,
        (by, serving): (Arc<ServedBy>, Arc<Plugin>),
    ) -> Self {
        let seed = slots.seed();
        Self { slots, slot, newcomer, bytes, seed, by, serving: Rehearsal::new(&serving) }
    }

    /// What is called.
    pub(super) fn live(&self) -> Live {
        let (slot, rehearsal) = (Arc::clone(&self.slot), Arc::clone(&self.newcomer));
        match &self.bytes {
            Some(bytes) => Live::Component { slot, bytes: Arc::clone(bytes), rehearsal },
            None => Live::Settings { slot, rehearsal },
        }
    }

    /// Whether what serves now has answered this call. After a swap the comparison begins anew: what was found of another
    /// generation says nothing of this one.
    fn is_of_serving(&mut self, shadow: &Shadow, call: &RecordedCall) -> bool {
        let Some(by) = &call.by else { return false };
        if by.generation <= self.by.generation {
            return by.generation == self.by.generation;
        }
        let Some((now, plugin)) = self.slot.serving_for_rehearsal() else { return false };
        (self.serving, self.by) = (Rehearsal::new(&plugin), now);
        // Settings and limits may be others too.
        let renewed = match &self.bytes {
            Some(_) => Some(self.slots.renewed(&self.slot, self.newcomer.plugin())),
            None => self.slots.with_settings(&self.slot, shadow.beside.set().clone()).ok(),
        };
        let Some(renewed) = renewed else { return false };
        self.newcomer = Arc::new(Rehearsal::new(&renewed));
        shadow.begin_anew(Against::of(&self.by), Some(self.live()));
        if self.bytes.is_some() && *self.by.digest == **self.newcomer.plugin().digest() {
            shadow.end(ShadowState::Ended, Some("the same component serves now".to_owned()));
            return false;
        }
        by.generation == self.by.generation
    }

    /// Makes the call of the newcomer, and if it comes to something else than it did, of what serves too: the clocks have told
    /// something else then.
    async fn call<R: StageRole>(&self, rules: &Rules, message: &Message, call: &RecordedCall) -> Tried {
        let mut new = self.call_one::<R>(&self.newcomer, message, call).await;
        if is_late(&new) {
            // The clock on the wall tells that, and this machine may have had other things to do.
            new = self.call_one::<R>(&self.newcomer, message, call).await;
        }
        if was_busy(&new) {
            return Tried::Starved;
        }
        let new = outcome(new);
        let seen = match &call.result {
            Ok(outputs) => Outcome::Answer(outputs.clone()),
            Err((reason, detail)) => Outcome::Failure { reason: reason.as_str().into(), detail: detail.clone() },
        };
        if Comparison::is_same(rules, &seen, &new) {
            return Tried::Both(Box::new((seen, new)));
        }
        let old = self.call_one::<R>(&self.serving, message, call).await;
        if was_busy(&old) || (is_late(&old) && call.result.is_ok()) {
            return Tried::Starved;
        }
        // Where that fails now though it was answered, it takes a network: whether the newcomer differs is not known.
        let is_repeated = old.is_ok() || call.result.is_err();
        if is_repeated { Tried::Both(Box::new((outcome(old), new))) } else { Tried::Undecided }
    }

    async fn call_one<R: StageRole>(&self, of: &Rehearsal, message: &Message, call: &RecordedCall) -> Ended {
        let serving = self.serving.plugin();
        let call_seed = CallSeed {
            // The clocks of two calls that are compared tell the same.
            seed: Seed { fixed: true, ..self.seed },
            digest: Arc::clone(serving.digest()),
            role: serving.name_of_role(R::NAME),
            number: CallNumber::Message(call.number),
            buckets: CallBuckets::Again(call.buckets.clone().unwrap_or_default()),
        };
        of.call::<R>(of.plugin().input::<R>(message.clone()), call_seed).await
    }
}

impl Trial for BesidePlugin {
    fn make<'a>(
        &'a mut self,
        shadow: &'a Shadow,
        message: &'a Message,
        recorded: &'a Recorded,
    ) -> BoxFuture<'a, Tried> {
        Box::pin(async move {
            let Some(call) = recorded.call.as_ref().filter(|call| self.is_of_serving(shadow, call)) else {
                return Tried::Superseded;
            };
            let rules = &shadow.wanted.rules;
            match recorded.place {
                OwnedPlace::Policy(_) => self.call::<ReplyPolicy>(rules, message, call).await,
                OwnedPlace::Flow(_) | OwnedPlace::Route(_) => self.call::<Processor>(rules, message, call).await,
            }
        })
    }
}

/// Whether a call missed its deadline.
fn is_late(ended: &Ended) -> bool {
    matches!(ended, Err(CallError::DeadlineExceeded(_)))
}
