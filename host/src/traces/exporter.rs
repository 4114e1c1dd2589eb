//! The exporter: sends spans to the collector in batches, and counts those that it does not take.

use super::PART;
use super::collector::Collector;
use super::queue::{QueuedSpan, QueuedSpans};
use crate::config::{CollectorEndpoint, TRACES_BATCH_MS, TRACES_BATCH_SPANS_MAX};
use crate::ledger::Reason;
use crate::log_limit::LogLimit;
use crate::system::fail_point::is_to_fail;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// All that the task owns.
pub(super) struct Exporter {
    pub(super) collector: Collector,
    pub(super) endpoint: CollectorEndpoint,
    pub(super) queued: QueuedSpans,
    /// How long the collector may take for a batch.
    pub(super) timeout: Duration,
    /// Cancelled when no more spans are taken in.
    pub(super) closing: CancellationToken,
}

impl Exporter {
    /// Sends until it is to close and all spans are sent. A batch that the collector does not take is not sent again: it
    /// may have taken it, and the spans behind it would be lost instead.
    ///
    /// # Errors
    /// When a test asks for it alone: whatever a collector does, the host goes on.
    pub(super) async fn run(mut self) -> Result<(), String> {
        let mut log_limit = LogLimit::default();
        loop {
            let batch = self.next_batch().await;
            if is_to_fail(PART) {
                return Err("a test has asked for it".to_owned());
            }
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(cause) = self.send(batch).await
                && let Some(times) = log_limit.note(Instant::now())
            {
                let endpoint = &self.endpoint;
                tracing::warn!(%endpoint, times, cause, "spans are lost: the collector did not take them");
            }
        }
    }

    /// The spans that are to be sent next; none when it is closed and empty.
    async fn next_batch(&mut self) -> Vec<QueuedSpan> {
        let receiver = &mut self.queued.receiver;
        let mut batch = Vec::with_capacity(TRACES_BATCH_SPANS_MAX);
        tokio::select! {
            biased;
            () = self.closing.cancelled() => receiver.close(),
            _ = receiver.recv_many(&mut batch, TRACES_BATCH_SPANS_MAX) => {}
        }
        if batch.len() < TRACES_BATCH_SPANS_MAX && !self.closing.is_cancelled() {
            tokio::select! {
                () = self.closing.cancelled() => receiver.close(),
                () = self.queued.is_batch.notified() => {}
                () = sleep(Duration::from_millis(TRACES_BATCH_MS)) => {}
            }
        }
        while batch.len() < TRACES_BATCH_SPANS_MAX
            && let Ok(queued) = receiver.try_recv()
        {
            batch.push(queued);
        }
        batch
    }

    async fn send(&self, batch: Vec<QueuedSpan>) -> Result<(), String> {
        let (mut spans, mut ends) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for QueuedSpan { span, passage, room } in batch {
            spans.push(span);
            // Its room is taken until the batch is sent.
            ends.push((passage, room));
        }
        let sent = timeout(self.timeout, self.collector.send(spans)).await;
        let sent =
            sent.unwrap_or_else(|_| Err(format!("it took longer than otel.timeout_ms {}", self.timeout.as_millis())));
        // A collector says how many it rejected, but not which.
        let rejected = sent.as_ref().map_or(ends.len(), |rejected| rejected.spans);
        for (index, (passage, _room)) in ends.into_iter().enumerate() {
            match index < rejected {
                true => passage.dropped(Reason::NotTaken),
                false => passage.out(),
            }
        }
        match sent?.cause {
            Some(cause) => Err(cause),
            None => Ok(()),
        }
    }
}
