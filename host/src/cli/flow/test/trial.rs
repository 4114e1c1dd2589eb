//! One example: the flow that a host would run, between what the example puts in and what it promises.

use super::compare::{compare_failures, compare_messages};
use super::examples::Example;
use crate::cli::flow::offline::{Failures, KeepingSink, NoLetters, ObservedStage, ThisRuntime};
use crate::config::{Config, EXAMPLES_MS_MAX, OnError};
use crate::flow::{
    Executor, FlowParts, FlowSettings, FlowStage, FlowSurface, Inlet, LostMessages, Message, Recording, Sink, Stage,
    Surface, Taps,
};
use crate::ledger::Hop;
use crate::plugin::{PluginStage, Processor, Slots};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// # Errors
/// How what came out differs from what is promised, in lines for people to read.
pub(super) async fn try_on(config: &Config, slots: &Slots, example: &Example) -> Result<(), String> {
    let (failures, hop) = (Arc::<Failures>::default(), Arc::<Hop>::default());
    let flow = &config.flows[&example.flow];
    let inlets: BTreeMap<_, _> = flow.from.iter().map(|source| (source, inlet(example, source, &hop))).collect();
    let sinks: Vec<_> = flow.to.iter().map(|sink| Arc::new(KeepingSink::new(sink))).collect();
    let stages = flow.through.iter().filter_map(|name| {
        let stage: Arc<dyn Stage> = Arc::new(PluginStage::<Processor>::new(slots.get(name)?));
        let stage = ObservedStage { stage, failures: Arc::clone(&failures) };
        Some(FlowStage { stage: Arc::new(stage), hop: Arc::default() })
    });
    let parts = FlowParts {
        settings: FlowSettings {
            name: example.flow.clone(),
            order: flow.order,
            on_error: flow.on_error,
            // One at a time: what comes out depends on the example alone.
            in_flight_max: 1,
            in_flight_bytes_max: flow.in_flight_bytes_max,
        },
        hop: Arc::clone(&hop),
        inlets: inlets.values().cloned().collect(),
        stages: stages.collect(),
        numbers: Arc::default(),
        sinks: sinks.iter().map(|sink| Arc::clone(sink) as Arc<dyn Sink>).collect(),
        taps: Taps::default(),
        recording: Recording::default(),
        lost: Arc::new(NoLetters) as Arc<dyn LostMessages>,
        executor: Arc::new(ThisRuntime) as Arc<dyn Executor>,
    };
    // One source after the other, as their names are ordered: the flow itself takes from each in turn.
    for (source, messages) in &example.inputs {
        for frames in messages {
            let frames = frames.iter().map(|frame| Bytes::copy_from_slice(frame.bytes())).collect();
            // There is room for each.
            let _ = inlets[source].offer(Message { frames, ..Message::default() });
        }
    }
    run(parts, &failures, flow.on_error).await?;
    compare_failures(&example.fails, &failures.take(), flow.on_error)?;
    for sink in sinks {
        if let Some(expected) = example.out.get(sink.name()) {
            compare_messages(sink.name(), expected, &sink.take())?;
        }
    }
    Ok(())
}

fn inlet(example: &Example, source: &str, hop: &Arc<Hop>) -> Arc<Inlet> {
    let count = example.inputs.get(source).map_or(0, Vec::len);
    Arc::new(Inlet::new(source, Arc::clone(hop), count.max(1), usize::MAX))
}

/// Runs a flow until it is empty, or has stopped at a message.
async fn run(parts: FlowParts, failures: &Failures, on_error: OnError) -> Result<(), String> {
    let mut abort = None;
    let flow = Arc::new(FlowSurface::start(parts, |task| {
        let task = tokio::spawn(task);
        abort = Some(task.abort_handle());
        async move { drop(task.await) }
    }));
    let deadline = Instant::now() + Duration::from_millis(EXAMPLES_MS_MAX);
    let stopped = async {
        match on_error {
            OnError::Stop => failures.any.notified().await,
            OnError::DeadLetter | OnError::Drop | OnError::Pass => std::future::pending().await,
        }
    };
    let abandoned = tokio::select! {
        abandoned = Arc::clone(&flow).end(deadline) => abandoned,
        () = stopped => 0,
    };
    if let Some(abort) = abort {
        abort.abort();
    }
    match (abandoned, flow.health().obstacle) {
        (0, _) => Ok(()),
        (_, obstacle) => {
            let why = obstacle.map(|obstacle| format!(": {obstacle}")).unwrap_or_default();
            Err(format!("it took longer than {EXAMPLES_MS_MAX} ms{why}"))
        }
    }
}
