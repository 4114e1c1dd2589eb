//! A flow in this process that is given one message after another, and tells of each what became of it.

use super::chosen_flow::ChosenFlow;
use crate::buckets::CallBuckets;
use crate::cli::flow::offline::{self, FailedCall, Failures, KeepingSink, ObservedStage, ThisRuntime};
use crate::config::OnError;
use crate::flow::{
    FlowParts, FlowSettings, FlowStage, FlowSurface, Inlet, Lost, LostMessages, Message, Recording, Stage, Surface,
    Taps,
};
use crate::ledger::{Hop, HopCounts, Reason};
use crate::plugin::{PluginStage, Processor, Seed, Slots};
use crate::record::capture::Captured;
use crate::record::capture::record::{Pair, Record};
use crate::record::choice::PlaceKind;
use crate::record::dead_letters::{Letter, LetterSeed, NewLetter};
use crate::record::replay::Incoming;
use crate::record::traffic::Entry;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

/// A flow that runs.
pub(super) struct OfflineFlow {
    name: String,
    seed: LetterSeed,
    hop: Arc<Hop>,
    inlet: Arc<Inlet>,
    sink: Arc<KeepingSink>,
    lost: Arc<KeptLost>,
    failures: Arc<Failures>,
    surface: Arc<FlowSurface>,
    /// The plugin that is called first.
    first: Option<String>,
    /// What the stages call is loaded as long as these are there.
    _slots: Slots,
}

/// What became of a message.
pub(super) struct Passed {
    /// What came out.
    pub(super) outputs: Vec<Entry>,
    /// What failed it, or was passed by, as a host would write a dead letter of it.
    pub(super) failures: Vec<Entry>,
    /// What it is counted as, if nothing comes out of it for that.
    pub(super) dropped: Option<Reason>,
}

/// What the flow fails at.
#[derive(Default)]
struct KeptLost(Mutex<Vec<Lost>>);

impl LostMessages for KeptLost {
    fn write(&self, lost: Lost) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(lost);
    }
}

impl OfflineFlow {
    /// # Errors
    /// When a plugin is not there, or is refused.
    pub(super) async fn start(chosen: ChosenFlow, seed: LetterSeed) -> anyhow::Result<Self> {
        let of_plugins = Seed { value: seed.value, fixed: seed.fixed };
        let slots = offline::load(&chosen.config, chosen.flow().through.iter(), of_plugins).await?;
        let (flow, hop, failures) = (chosen.flow(), Arc::<Hop>::default(), Arc::<Failures>::default());
        // One at a time: what comes out is of the one that went in, and the numbers of calls are the same each time.
        let inlet = Arc::new(Inlet::of_named(Arc::clone(&hop), 1, usize::MAX));
        let (sink, lost) = (Arc::new(KeepingSink::new("printed")), Arc::<KeptLost>::default());
        let stages = flow.through.iter().filter_map(|name| {
            let stage: Arc<dyn Stage> = Arc::new(PluginStage::<Processor>::new(slots.get(name)?));
            let observed = || Arc::new(ObservedStage { stage: Arc::clone(&stage), failures: Arc::clone(&failures) });
            // Of all other failures the flow tells by itself.
            let stage = if flow.on_error == OnError::Pass { observed() } else { Arc::clone(&stage) };
            Some(FlowStage { stage, hop: Arc::default() })
        });
        let parts = FlowParts {
            settings: FlowSettings {
                name: chosen.name.clone(),
                order: flow.order,
                on_error: match flow.on_error {
                    OnError::Pass => OnError::Pass,
                    // All are told of, and nobody is there to resume what has stopped.
                    OnError::DeadLetter | OnError::Drop | OnError::Stop => OnError::DeadLetter,
                },
                in_flight_max: 1,
                in_flight_bytes_max: flow.in_flight_bytes_max,
            },
            hop: Arc::clone(&hop),
            inlets: vec![Arc::clone(&inlet)],
            stages: stages.collect(),
            numbers: Arc::default(),
            // Each sink of a flow gets all that comes out.
            sinks: vec![Arc::clone(&sink) as _],
            taps: Taps::default(),
            recording: Recording::default(),
            lost: Arc::clone(&lost) as _,
            executor: Arc::new(ThisRuntime),
        };
        let surface = Arc::new(FlowSurface::start(parts, |task| {
            let task = tokio::spawn(task);
            async move { drop(task.await) }
        }));
        let first = chosen.flow().through.first().cloned();
        Ok(Self { first, name: chosen.name, seed, hop, inlet, sink, lost, failures, surface, _slots: slots })
    }

    /// Puts a message in, and waits until all that comes of it is there: so long at most.
    ///
    /// # Errors
    /// When it takes longer, or the flow has ended.
    pub(super) async fn put(&self, incoming: &Incoming, timeout: Duration) -> Result<Passed, String> {
        let Incoming { time, metadata, frames, told, .. } = incoming;
        let told = told.as_ref().filter(|(plugin, _)| self.first.as_ref() == Some(plugin));
        let buckets = told.map_or(CallBuckets::Plain, |(_, log)| CallBuckets::Again(Arc::clone(log)));
        let (metadata, frames) = (metadata.clone(), frames.clone());
        let message = Message { metadata, frames, buckets, ..Message::default() };
        let before = self.hop.figures().dropped(Reason::OverOutput);
        self.inlet.offer(message).map_err(|_| format!("the flow {} has ended", self.name))?;
        // There is room again once the message has left the flow.
        let left = poll_fn(|context| match self.inlet.await_room(0, context.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        tokio::time::timeout(timeout, left).await.map_err(|_| {
            let obstacle = self.surface.health().obstacle.map(|obstacle| format!(" ({obstacle})")).unwrap_or_default();
            format!("the flow {} has not done with a message within {timeout:?}{obstacle}: raise --timeout", self.name)
        })?;
        if self.inlet.is_closed() {
            return Err(format!("the flow {} has ended", self.name));
        }
        let outputs: Vec<_> = self.sink.take().into_iter().map(|message| self.came_out(message, *time)).collect();
        let lost = std::mem::take(&mut *self.lost.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut dropped = lost.last().map(|lost| lost.failure.reason);
        if outputs.is_empty() && dropped.is_none() {
            // Of what was passed by and then became too much nobody tells.
            dropped = (self.hop.figures().dropped(Reason::OverOutput) > before).then_some(Reason::OverOutput);
        }
        let passed = self.failures.take().into_iter().map(|failed| self.passed_by(failed, incoming));
        let failures = passed.chain(lost.into_iter().map(|lost| self.failed(lost, *time))).collect();
        Ok(Passed { outputs, failures, dropped })
    }

    /// Ends the flow: what it has counted.
    pub(super) async fn end(self) -> HopCounts {
        Arc::clone(&self.surface).end(Instant::now()).await;
        self.hop.figures()
    }

    fn came_out(&self, message: Message, time: u64) -> Entry {
        let metadata = message.metadata.into_iter().map(|(key, value)| Pair { key, value }).collect();
        let record = Record { frames: message.frames.into_vec(), metadata, call: None };
        Entry::from(Captured { kind: PlaceKind::Flow, name: self.name.clone(), time, record })
    }

    fn failed(&self, Lost { flow, number, met, by, failure, input, .. }: Lost, time: u64) -> Entry {
        let letter = NewLetter::of_flow(&flow, number, by.as_deref(), failure.reason, failure.detail, input);
        self.letter(if met.is_said_by_last() { letter } else { letter.after(met.to_string()) }, time)
    }

    fn passed_by(&self, FailedCall { by, number, failure, .. }: FailedCall, incoming: &Incoming) -> Entry {
        let Incoming { time, metadata, frames, .. } = incoming;
        let input = Message { metadata: metadata.clone(), frames: frames.clone(), ..Message::default() };
        let letter = NewLetter::of_flow(&self.name, number, by.as_deref(), failure.reason, failure.detail, input);
        self.letter(letter, *time)
    }

    fn letter(&self, letter: NewLetter, time: u64) -> Entry {
        let id = if letter.id.is_empty() { format!("call-{}", letter.number) } else { letter.id.clone() };
        let time = jiff::Timestamp::from_nanosecond(time.into()).unwrap_or_default();
        Entry::from(Letter::new(NewLetter { id, ..letter }, time, self.seed))
    }
}
