//! Traces: spans of requests, calls and messages, sent to a collector by OTLP where the configuration names one.
//!
//! Spans are made and handed on directly, not by way of `tracing`: whoever has none to make then asks one pointer whether
//! it is null, whatever the log is set to, and which spans are sent does not depend on the filter of the log. Batches
//! are sent by a task of the host's own and not by the one of `opentelemetry_sdk`, which counts no span that it drops.

mod collector;
mod exporter;
mod queue;
mod span;
mod tracer;

pub use span::{Kind, Recording, Span, TraceContext};
pub use tracer::Tracer;

use crate::config::{CollectorEndpoint, Otel};
use crate::ledger::Hop;
use crate::system::supervisor::Supervisor;
use collector::Collector;
use exporter::Exporter;
use queue::SpanQueue;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The name of the task that sends spans.
const PART: &str = "traces";

/// The sending of spans, which is to end after all that makes any. The default one sends none.
#[derive(Debug, Default)]
pub struct Traces(Option<Running>);

#[derive(Debug)]
struct Running {
    endpoint: CollectorEndpoint,
    hop: Arc<Hop>,
    closing: CancellationToken,
    task: JoinHandle<()>,
}

/// Starts to send spans to this collector, within the bounds of the configuration; `hop` counts them.
///
/// # Errors
/// When no HTTP client can be made for the collector; says why.
pub fn start(
    endpoint: &CollectorEndpoint,
    config: &Otel,
    hop: Arc<Hop>,
    supervisor: &Supervisor,
) -> Result<(Tracer, Traces), String> {
    let collector = Collector::new(endpoint).map_err(|cause| format!("tracing to {endpoint}: {cause}"))?;
    let (queue, queued) = SpanQueue::new(config, Arc::clone(&hop));
    let closing = CancellationToken::new();
    let exporter = Exporter {
        collector,
        endpoint: endpoint.clone(),
        queued,
        timeout: Duration::from_millis(config.timeout_ms),
        closing: closing.clone(),
    };
    let task = supervisor.task(PART, exporter.run());
    let running = Running { endpoint: endpoint.clone(), hop, closing, task };
    Ok((Tracer::new(queue, config.sample_ratio), Traces(Some(running))))
}

impl Traces {
    /// Takes in no more spans, and waits up to `wait` until those that were made are sent. The others are dropped, which
    /// the ledger counts as abandoned.
    pub async fn close(self, wait: Duration) {
        let Some(Running { endpoint, hop, closing, mut task }) = self.0 else { return };
        closing.cancel();
        if timeout(wait, &mut task).await.is_err() {
            let spans = hop.figures().in_flight;
            tracing::warn!(%endpoint, spans, "spans are lost: the collector did not take them before the end");
            task.abort();
            // The supervisor has reported a panic.
            let _ = task.await;
        }
    }
}
