//! Two components, and one call that is made of both.

use super::captured_call::{CapturedCall, CapturedRole, CapturedSeed};
use crate::buckets::CallBuckets;
use crate::flow::{Message, Outputs};
use crate::plugin::{
    CallError, CallNumber, CallSeed, Plugin, Processor, Rehearsal, ReplyPolicy, RoleName, Seed, StageRole,
};
use std::sync::Arc;

/// What came of one call.
pub(crate) type Ended = Result<Outputs, CallError>;

/// The components that are compared. Whoever has them keeps the engine too that they were loaded by: it makes guests yield, and
/// without it one that loops would never end.
#[derive(Clone)]
pub(crate) struct Pair {
    /// What counts as right.
    pub(crate) old: Arc<Plugin>,
    /// The newcomer.
    pub(crate) new: Arc<Plugin>,
}

impl Pair {
    /// Whether one of them has the role.
    pub(super) fn has_role(&self, role: CapturedRole) -> bool {
        let name = role.name();
        self.old.has_role(name) || self.new.has_role(name)
    }
}

/// Both components with instances of their own, for one thread.
pub(crate) struct Callers {
    pub(crate) old: Rehearsal,
    pub(crate) new: Rehearsal,
}

impl Callers {
    pub(crate) fn of(pair: &Pair) -> Self {
        Self { old: Rehearsal::new(&pair.old), new: Rehearsal::new(&pair.new) }
    }

    /// Makes a call of both, each with the random numbers of the call that was captured, with clocks that tell the
    /// same, and with what buckets told that call. Also returns the message.
    pub(crate) async fn call(
        &self,
        role: CapturedRole,
        message: Message,
        seed: &CapturedSeed,
    ) -> (Message, Ended, Ended) {
        let call_seed = self.call_seed(role, seed);
        match role {
            CapturedRole::Processor => self.call_as::<Processor>(message, call_seed).await,
            CapturedRole::ReplyPolicy => self.call_as::<ReplyPolicy>(message, call_seed).await,
        }
    }

    async fn call_as<R: StageRole>(&self, message: Message, call_seed: CallSeed) -> (Message, Ended, Ended)
    where
        R::In: Clone,
    {
        let (old, new) = (self.old.plugin(), self.new.plugin());
        let other = (old.contract_of(R::NAME) != new.contract_of(R::NAME)).then(|| new.input::<R>(message.clone()));
        let input = old.input::<R>(message);
        let new_input = other.unwrap_or_else(|| input.clone());
        let old = self.old.call::<R>(input.clone(), call_seed.clone()).await;
        let new = self.new.call::<R>(new_input, call_seed).await;
        (input.into_message(), old, new)
    }

    /// What the call drew from: of a call that reached no component, the old one stands in for it, and it knows what a
    /// dead letter does not say.
    fn call_seed(&self, role: CapturedRole, seed: &CapturedSeed) -> CallSeed {
        let CapturedSeed { value, digest, role: served_as, number, buckets } = seed;
        let (old, new) = (self.old.plugin(), self.new.plugin());
        let name = role.name();
        CallSeed {
            seed: Seed { value: *value, fixed: true },
            digest: Arc::clone(digest.as_ref().unwrap_or_else(|| old.digest())),
            role: served_as.or_else(|| old.name_of_role(name)).or_else(|| new.name_of_role(name)),
            number: CallNumber::Message(*number),
            buckets: CallBuckets::Again(Arc::clone(buckets)),
        }
    }
}

impl CapturedCall {
    /// Makes the call of both.
    pub(crate) async fn make(self, callers: &Callers) -> (Self, Ended, Ended) {
        let Self { number, role, message, seed } = self;
        let (message, old, new) = callers.call(role, message, &seed).await;
        (Self { number, role, message, seed }, old, new)
    }
}

impl CapturedRole {
    pub(crate) fn name(self) -> RoleName {
        match self {
            Self::Processor => RoleName::PROCESSOR,
            Self::ReplyPolicy => RoleName::REPLY_POLICY,
        }
    }
}
