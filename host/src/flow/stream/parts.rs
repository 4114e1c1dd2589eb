//! What a flow is made of, and what it hands to others.

use crate::config::{OnError, Order};
use crate::flow::{Inlet, LostMessages, Recording, Sink, Stage, Taps};
use crate::ledger::Hop;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// All that a flow is made of.
pub struct FlowParts {
    /// Its name, order and bounds.
    pub settings: FlowSettings,
    /// Its hop, which the inlets count at.
    pub hop: Arc<Hop>,
    /// Where messages come in.
    pub inlets: Vec<Arc<Inlet>>,
    /// What each goes through, in order.
    pub stages: Vec<FlowStage>,
    /// Numbers the calls, of which no two in a host may have the same: what a plugin draws depends on it.
    pub numbers: Arc<Hop>,
    /// Where each goes to.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// Takes those that a stage fails at.
    pub lost: Arc<dyn LostMessages>,
    /// Where whoever watches sees what comes in and goes out.
    pub taps: Taps,
    /// Where its calls are recorded, and without stages its messages.
    pub recording: Recording,
    /// Runs calls that take long.
    pub executor: Arc<dyn Executor>,
}

/// What the configuration says of a flow.
#[derive(Clone, Debug)]
pub struct FlowSettings {
    /// Its name.
    pub name: String,
    /// In which order messages leave.
    pub order: Order,
    /// What becomes of a message that a stage fails at.
    pub on_error: OnError,
    /// Messages that are processed at the same time, or wait to leave.
    pub in_flight_max: usize,
    /// Their bytes together, those of what is made of them included.
    pub in_flight_bytes_max: usize,
}

/// A stage of a flow, with the hop that counts its calls.
#[derive(Clone)]
pub struct FlowStage {
    /// What processes messages.
    pub stage: Arc<dyn Stage>,
    /// Its calls in this flow.
    pub hop: Arc<Hop>,
}

/// Runs what a flow has running beside its own task.
pub trait Executor: Send + Sync {
    /// Runs a future to its end.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Completes after so long.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}
