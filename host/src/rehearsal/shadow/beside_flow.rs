//! Another chain of plugins beside that of a flow: both are led through once more, since what goes on from one plugin to the next
//! is not what came out of the flow.

use super::calling::{Trial, Tried};
use super::running::Shadow;
use super::status::Against;
use crate::flow::{Message, Recorded, Surfaces};
use crate::ledger::Reason;
use crate::plugin::{Seed, Slots};
use crate::record::compare::Outcome;
use crate::rehearsal::chain::{ChainCost, RehearsedChain};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Both chains, and the flow.
pub(super) struct BesideFlow {
    flow: String,
    surfaces: Surfaces,
    slots: Arc<Slots>,
    seed: Seed,
    old: RehearsedChain,
    new: RehearsedChain,
}

impl BesideFlow {
    /// # Errors
    /// When there is no such flow, or a step is no plugin that processes messages.
    pub(super) fn new(
        flow: &str,
        through: &[String],
        surfaces: Surfaces,
        slots: Arc<Slots>,
        seed: Seed,
    ) -> Result<Self, String> {
        let serves = steps_of(&surfaces, flow).ok_or_else(|| format!("no flow is named {flow}"))?;
        let compose = |steps: &[String]| RehearsedChain::compose(&slots, steps, seed);
        let (old, new) = (compose(&serves)?, compose(through)?);
        Ok(Self { flow: flow.to_owned(), surfaces, slots, seed, old, new })
    }

    /// What the comparison is with.
    pub(super) fn against(&self) -> Against {
        let generations = [self.old.generations(), self.new.generations()].concat();
        Against { through: self.old.steps(), generations, ..Against::default() }
    }

    /// What the calls of the newcomer take.
    pub(super) fn cost(&self) -> Arc<ChainCost> {
        self.new.cost()
    }

    /// Has both be of what is loaded now; the comparison begins anew if that is another one. False if one cannot be had.
    fn follow(&mut self, shadow: &Shadow) -> bool {
        let Some(serves) = steps_of(&self.surfaces, &self.flow) else { return false };
        if serves == self.old.steps() && holds(&self.slots, &self.against().generations) {
            return true;
        }
        let compose = |steps: &[String]| RehearsedChain::compose(&self.slots, steps, self.seed).ok();
        let Some((old, new)) = compose(&serves).zip(compose(&self.new.steps())) else { return false };
        (self.old, self.new) = (old, new.with_cost(self.new.cost()));
        shadow.begin_anew(self.against(), None);
        true
    }
}

impl Trial for BesideFlow {
    fn make<'a>(
        &'a mut self,
        shadow: &'a Shadow,
        message: &'a Message,
        recorded: &'a Recorded,
    ) -> BoxFuture<'a, Tried> {
        Box::pin(async move {
            if !self.follow(shadow) {
                return Tried::Superseded;
            }
            let number = recorded.call.as_ref().map_or(1, |call| call.number);
            let called = recorded.call.as_ref();
            let mut new = self.new.process(message.clone(), number, called).await;
            if new.as_ref().is_some_and(is_late) {
                // The clock on the wall tells that, and this machine may have had other things to do.
                new = self.new.process(message.clone(), number, called).await;
            }
            let old = self.old.process(message.clone(), number, called).await;
            old.zip(new).map_or(Tried::Starved, |both| Tried::Both(Box::new(both)))
        })
    }
}

/// What a flow leads messages through; none if there is no such flow.
pub(super) fn steps_of(surfaces: &Surfaces, flow: &str) -> Option<Vec<String>> {
    surfaces
        .all()
        .iter()
        .find(|surface| surface.name() == flow)
        .and_then(|surface| Some(surface.path()?.through.clone()))
}

/// Whether these plugins serve in these generations.
pub(super) fn holds(slots: &Slots, generations: &[(String, u64)]) -> bool {
    let is_it =
        |(name, generation): &(String, u64)| slots.get(name).and_then(|slot| slot.generation()) == Some(*generation);
    generations.iter().all(is_it)
}

/// Whether a call of the chain missed its deadline.
fn is_late(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failure { reason, .. } if *reason == Reason::DeadlineExceeded.as_str())
}
