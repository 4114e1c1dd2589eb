//! A chain of plugins that serve nobody: it processes messages as that of a flow does, with the random numbers of the same calls.

use crate::buckets::CallBuckets;
use crate::config::FLOW_OUTPUTS_MAX;
use crate::flow::{
    Chain, ChainBounds, Failed, Failure, Fault, Link, Message, Place, Processed, RecordedCall, Recording, ServedBy,
    Stage,
};
use crate::ledger::Hop;
use crate::plugin::{CallDurations, CallNumber, CallSeed, Processor, Rehearsal, Role, Seed, Slot, Slots};
use crate::record::compare::Outcome;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Instant;

/// The chain.
pub(crate) struct RehearsedChain {
    steps: Vec<Step>,
    bounds: ChainBounds,
    cost: Arc<ChainCost>,
}

/// What the calls of a whole chain take.
#[derive(Default)]
pub(crate) struct ChainCost {
    pub(crate) durations: CallDurations,
}

/// One plugin of it, as it served when the chain was composed.
struct Step {
    slot: Arc<Slot>,
    by: Arc<ServedBy>,
    rehearsal: Arc<Rehearsal>,
    seed: Seed,
}

impl RehearsedChain {
    /// The plugins of these names, as they serve now.
    ///
    /// # Errors
    /// When one is not loaded, or processes no messages.
    pub(crate) fn compose(slots: &Slots, steps: &[String], seed: Seed) -> Result<Self, String> {
        // The clocks of two calls that are compared tell the same.
        let seed = Seed { fixed: true, ..seed };
        let step = |name: &String| {
            let slot = slots.get(name).ok_or_else(|| format!("{name} is no plugin that could be called once more"))?;
            let (by, plugin) = slot.serving_for_rehearsal().ok_or_else(|| format!("{name} is not loaded"))?;
            if !plugin.has_role(Processor::NAME) {
                return Err(format!("{name} processes no messages"));
            }
            Ok(Step { slot, by, rehearsal: Arc::new(Rehearsal::new(&plugin)), seed })
        };
        let steps = steps.iter().map(step).collect::<Result<Vec<_>, _>>()?;
        let bytes_max = steps.iter().map(|step| step.slot.output_bytes_max()).max().unwrap_or(usize::MAX);
        let bounds = ChainBounds { messages_max: FLOW_OUTPUTS_MAX, bytes_max };
        Ok(Self { steps, bounds, cost: Arc::default() })
    }

    /// The names of its plugins, in order.
    pub(crate) fn steps(&self) -> Vec<String> {
        self.steps.iter().map(|step| step.slot.name().to_owned()).collect()
    }

    /// Where a plugin is in it; at the beginning if it is not.
    fn place_of(&self, plugin: &str) -> usize {
        self.steps.iter().position(|step| step.slot.name() == plugin).unwrap_or(0)
    }

    /// Their names, each with the generation that served when the chain was composed.
    pub(crate) fn generations(&self) -> Vec<(String, u64)> {
        self.steps.iter().map(|step| (step.slot.name().to_owned(), step.by.generation)).collect()
    }

    /// What its calls take.
    pub(crate) fn cost(&self) -> Arc<ChainCost> {
        Arc::clone(&self.cost)
    }

    /// The same, adding to what the calls of another one took.
    pub(crate) fn with_cost(self, cost: Arc<ChainCost>) -> Self {
        Self { cost, ..self }
    }

    /// Processes a message, whose call at the first plugin had this number. What buckets told that call is told again to the
    /// plugin of the name that was called, or to the first one where there is none. None where the machine had no time for it.
    pub(crate) async fn process(
        &self,
        message: Message,
        number: u64,
        called: Option<&RecordedCall>,
    ) -> Option<Outcome> {
        let began = Instant::now();
        let told = called.and_then(|call| Some((self.place_of(&call.plugin), call.buckets.as_ref()?)));
        let steps = self.steps.iter().enumerate().map(|(place, step)| match told {
            Some((told, log)) if told == place => ToldStep { step, buckets: CallBuckets::Again(Arc::clone(log)) },
            _ => ToldStep { step, buckets: CallBuckets::Plain },
        });
        let steps: Vec<_> = steps.collect();
        let links: Vec<_> = steps.iter().map(|step| Link { stage: step as &dyn Stage, hop: None }).collect();
        // Of each message the calls behind the first have the same numbers.
        let (numbers, recording) = (Hop::default(), Recording::default());
        let recorded = recording.at(Place::Flow(""));
        let chain = Chain { links: &links, numbers: &numbers, bounds: self.bounds, is_awaited: false, recorded };
        let result = chain.process(message, number).await.result;
        self.cost.durations.observe(began.elapsed());
        match result {
            Ok(outputs) => Some(Outcome::Answer(outputs)),
            Err(Failed { failure: Failure { fault: Fault::Busy, .. }, .. }) => None,
            Err(Failed { failure: Failure { reason, detail, .. }, .. }) => {
                Some(Outcome::Failure { reason: reason.as_str().into(), detail })
            }
        }
    }
}

/// A plugin of it, with what buckets tell it.
struct ToldStep<'a> {
    step: &'a Step,
    buckets: CallBuckets,
}

impl Stage for ToldStep<'_> {
    fn name(&self) -> &str {
        self.step.name()
    }

    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed> {
        self.step.process(Message { buckets: self.buckets.clone(), ..message }, number)
    }
}

impl Stage for Step {
    fn name(&self) -> &str {
        self.slot.name()
    }

    fn process(&self, mut message: Message, number: u64) -> BoxFuture<'static, Processed> {
        let (rehearsal, by, seed) = (Arc::clone(&self.rehearsal), Arc::clone(&self.by), self.seed);
        Box::pin(async move {
            let plugin = rehearsal.plugin();
            let call_seed = CallSeed {
                seed,
                digest: Arc::clone(plugin.digest()),
                role: plugin.name_of_role(Processor::NAME),
                number: CallNumber::Message(number),
                buckets: std::mem::take(&mut message.buckets),
            };
            let input = plugin.input::<Processor>(message);
            let result = rehearsal.call::<Processor>(input.clone(), call_seed).await;
            let result = result.map_err(|error| Failed { failure: error.into(), input: input.into_message() });
            Processed { by: Some(by), result }
        })
    }
}
