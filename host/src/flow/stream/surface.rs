//! A flow as something that runs in a host: what is told of it, its commands, and its end.

use super::control::FlowControl;
use super::parts::FlowParts;
use super::runner::FlowRunner;
use crate::flow::{Command, FlowPath, Health, Inlet, Message, Side, Stage, State, Statistics, Status, Surface};
use crate::ledger::{Hop, Reason};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

/// The handle of a flow that runs.
pub struct FlowSurface {
    name: String,
    path: FlowPath,
    stages: Vec<Arc<dyn Stage>>,
    hop: Arc<Hop>,
    inlets: Vec<Arc<Inlet>>,
    in_flight_max: usize,
    control: Arc<FlowControl>,
    ended: Shared<BoxFuture<'static, ()>>,
}

impl FlowSurface {
    /// Makes a flow. `start` runs its task, and returns what completes when that has ended.
    pub fn start<T>(parts: FlowParts, start: impl FnOnce(BoxFuture<'static, Result<(), String>>) -> T) -> Self
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let control = Arc::new(FlowControl::new());
        let FlowParts { settings, hop, inlets, stages, sinks, .. } = &parts;
        let path = FlowPath {
            from: inlets.iter().map(|inlet| inlet.source().to_owned()).collect(),
            through: stages.iter().map(|stage| stage.stage.name().to_owned()).collect(),
            to: sinks.iter().map(|sink| sink.name().to_owned()).collect(),
        };
        let stages = stages.iter().map(|stage| Arc::clone(&stage.stage)).collect();
        let (name, in_flight_max) = (settings.name.clone(), settings.in_flight_max);
        let (hop, inlets) = (Arc::clone(hop), inlets.clone());
        let runner = FlowRunner::new(parts, Arc::clone(&control));
        let ended = start(Box::pin(runner)).boxed().shared();
        Self { name, path, stages, hop, inlets, in_flight_max, control, ended }
    }
}

impl Surface for FlowSurface {
    fn name(&self) -> &str {
        &self.name
    }

    fn endpoint(&self) -> String {
        self.path.to_string()
    }

    fn side(&self) -> Side {
        Side::Flow
    }

    fn path(&self) -> Option<&FlowPath> {
        Some(&self.path)
    }

    fn stages(&self) -> &[Arc<dyn Stage>] {
        &self.stages
    }

    fn health(&self) -> Health {
        let progress = self.control.progress();
        let obstacle = match progress.state {
            State::Paused if progress.obstacle.is_none() => Some("paused".to_owned()),
            State::Draining => Some("draining".to_owned()),
            State::Drained => Some("drained".to_owned()),
            State::Paused | State::Running => progress.obstacle.clone(),
        };
        let obstacle = obstacle.map(|obstacle| format!("the flow {}: {obstacle}", self.name));
        Health { state: progress.state, obstacle }
    }

    fn statistics(&self, _statistics: &mut Statistics) {}

    fn status(&self) -> Option<Status> {
        let progress = self.control.progress();
        let waiting: usize = self.inlets.iter().map(|inlet| inlet.len()).sum();
        let counts = [
            ("in_flight", progress.in_flight),
            ("in_flight_max", self.in_flight_max),
            ("waiting", waiting.saturating_sub(progress.in_flight)),
        ];
        let counts = BTreeMap::from_iter(counts.map(|(name, count)| (name, count as u64)));
        Some(Status { state: progress.state, counts })
    }

    fn command(&self, command: Command) -> Result<(), String> {
        self.control.command(command);
        Ok(())
    }

    fn take_in(&self, message: Message) -> Result<(), Message> {
        match self.inlets.first() {
            Some(inlet) => inlet.offer(message),
            None => Err(message),
        }
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        self.control.end(deadline);
        Box::pin(async move {
            self.ended.clone().await;
            self.hop.figures().dropped(Reason::Abandoned)
        })
    }
}
