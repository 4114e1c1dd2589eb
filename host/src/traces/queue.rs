//! The queue of spans that have ended and are to be sent: bounded, and never waited for.

use crate::byte_budget::{ByteBudget, Held};
use crate::config::{Otel, TRACES_BATCH_SPANS_MAX};
use crate::ledger::{Hop, Passage, Reason};
use crate::log_limit::LogLimit;
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// About how much a span takes in memory beside its texts.
const SPAN_BYTES: usize = 512;

/// Where spans go in as they end.
#[derive(Debug)]
pub(super) struct SpanQueue {
    hop: Arc<Hop>,
    sender: Sender<QueuedSpan>,
    budget: Arc<ByteBudget>,
    is_batch: Arc<Notify>,
    full_log_limit: Mutex<LogLimit>,
}

/// Where they come out.
#[derive(Debug)]
pub(super) struct QueuedSpans {
    pub(super) receiver: Receiver<QueuedSpan>,
    /// Notified when enough of them wait for a whole batch.
    pub(super) is_batch: Arc<Notify>,
}

/// A span with its passage and its bytes of the queue's bound.
#[derive(Debug)]
pub(super) struct QueuedSpan {
    pub(super) span: SpanData,
    pub(super) passage: Passage,
    pub(super) room: Held,
}

impl SpanQueue {
    pub(super) fn new(config: &Otel, hop: Arc<Hop>) -> (Self, QueuedSpans) {
        let (sender, receiver) = mpsc::channel(config.queue_spans_max);
        let is_batch = Arc::new(Notify::new());
        let budget = ByteBudget::new(config.queue_bytes_max);
        let queue = Self { hop, sender, budget, is_batch: Arc::clone(&is_batch), full_log_limit: Mutex::default() };
        (queue, QueuedSpans { receiver, is_batch })
    }

    fn drop_for_want_of_room(&self, passage: Passage) {
        passage.dropped(Reason::QueueFull);
        let mut limit = self.full_log_limit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lost) = limit.note(Instant::now()) {
            tracing::warn!(
                lost,
                "spans are lost: as many wait to be sent as may; the collector is too slow, or otel.sample_ratio too high"
            );
        }
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        let passage = self.hop.enter();
        let Some(room) = self.budget.reserve(bytes(&span)) else { return self.drop_for_want_of_room(passage) };
        match self.sender.try_send(QueuedSpan { span, passage, room }) {
            Ok(()) => {
                if self.sender.max_capacity() - self.sender.capacity() >= TRACES_BATCH_SPANS_MAX {
                    self.is_batch.notify_one();
                }
            }
            Err(TrySendError::Full(queued)) => self.drop_for_want_of_room(queued.passage),
            // A span that ends after the end is abandoned, which dropping its passage counts.
            Err(TrySendError::Closed(_)) => {}
        }
    }

    /// What is to be sent is sent by the exporter, which the host ends itself.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// About how much a span takes in memory.
fn bytes(span: &SpanData) -> usize {
    let of_attribute = |KeyValue { value, .. }: &KeyValue| match value {
        Value::String(text) => size_of::<KeyValue>() + text.as_str().len(),
        _ => size_of::<KeyValue>(),
    };
    SPAN_BYTES + span.name.len() + span.attributes.iter().map(of_attribute).sum::<usize>()
}
