//! The tracer: begins the spans of what comes in, and decides which traces are recorded.

use super::queue::SpanQueue;
use super::span::{Kind, Span};
use crate::config::SPAN_ATTRIBUTES_MAX;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanLimits};
use std::sync::Arc;

/// Cheap to clone; the default one records nothing.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<SdkTracer>>);

impl Tracer {
    /// A tracer whose spans go into this queue. It records `sample_ratio` of the traces that begin here, and those of
    /// others that are recorded there.
    pub(super) fn new(queue: SpanQueue, sample_ratio: f64) -> Self {
        let limits = SpanLimits {
            max_attributes_per_span: SPAN_ATTRIBUTES_MAX,
            max_events_per_span: 0,
            max_links_per_span: 0,
            max_attributes_per_event: 0,
            max_attributes_per_link: 0,
        };
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio))))
            .with_span_limits(limits)
            .build();
        let scope = InstrumentationScope::builder("tidegate").with_version(env!("CARGO_PKG_VERSION")).build();
        Self(Some(Arc::new(provider.tracer_with_scope(scope))))
    }

    /// Begins the span of something that came in. `traceparent` is what its sender says of the trace that it belongs to,
    /// in the form of W3C Trace Context; without it a new trace begins.
    pub fn start(&self, kind: Kind, name: &'static str, traceparent: Option<&str>) -> Span {
        let Some(tracer) = &self.0 else { return Span::default() };
        Span::begin(tracer, kind, name.into(), traceparent.and_then(remote))
    }
}

/// The span of another process that a `traceparent` names: `VERSION-TRACE-PARENT-FLAGS`.
fn remote(traceparent: &str) -> Option<SpanContext> {
    let mut fields = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(fields.next()?).ok()?;
    let parent = SpanId::from_hex(fields.next()?).ok()?;
    let flags = u8::from_str_radix(fields.next()?, 16).ok()?;
    // Of the flags those are handed on that this version of the format knows.
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    Some(SpanContext::new(trace, parent, flags, true, TraceState::NONE)).filter(SpanContext::is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Otel, SPAN_TEXT_BYTES_MAX};
    use crate::ledger::{Hop, Reason};
    use crate::traces::queue::QueuedSpans;
    use opentelemetry::trace::Status;
    use opentelemetry_sdk::trace::SpanData;

    const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn tracer(config: &Otel) -> (Tracer, QueuedSpans, Arc<Hop>) {
        let hop = Arc::new(Hop::default());
        let (queue, queued) = SpanQueue::new(config, Arc::clone(&hop));
        (Tracer::new(queue, config.sample_ratio), queued, hop)
    }

    fn ended(queued: &mut QueuedSpans) -> SpanData {
        let queued = queued.receiver.try_recv().expect("a span has ended");
        queued.passage.out();
        queued.span
    }

    #[test]
    fn a_callers_span_is_read_from_a_traceparent() {
        let of = |text| remote(text).map(|span| (span.span_id().to_string(), span.is_sampled(), span.is_remote()));
        let parent = |sampled| Some(("00f067aa0ba902b7".to_owned(), sampled, true));
        assert_eq!(of(SAMPLED), parent(true));
        assert_eq!(of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02"), parent(false));
        assert_eq!(of("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more"), parent(true));
        for none in ["", "00", "00-0-0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn without_a_tracer_no_span_has_anything() {
        let mut span = Tracer::default().start(Kind::Server, "x", Some(SAMPLED));
        assert!(span.recording().is_none() && !span.context().is_recorded());
        let mut child = span.context().child(Kind::Internal, || unreachable!("nobody asks for its name"));
        assert!(child.recording().is_none() && child.context().traceparent().is_none());
    }

    #[test]
    fn a_span_that_nobody_settles_is_abandoned() {
        let (tracer, mut queued, _) = tracer(&Otel::default());
        let reason = |span: &SpanData| {
            let reason = span.attributes.iter().find(|attribute| attribute.key.as_str() == "error.type");
            reason.map(|reason| reason.value.to_string())
        };
        let start = || tracer.start(Kind::Server, "x", None);
        drop(start());
        let span = ended(&mut queued);
        assert_eq!((reason(&span).as_deref(), span.status), (Some("abandoned"), Status::error("")));

        let mut span = start();
        span.recording().expect("it is recorded").of_client();
        drop(span);
        assert_eq!(reason(&ended(&mut queued)).as_deref(), Some("client-gone"));

        let mut span = start();
        span.settle();
        drop(span);
        let span = ended(&mut queued);
        assert_eq!((reason(&span), span.status), (None, Status::Unset));

        let mut span = start();
        span.fail("trapped", "it says why");
        drop(span);
        let span = ended(&mut queued);
        assert_eq!((reason(&span).as_deref(), span.status), (Some("trapped"), Status::error("it says why")));
    }

    #[test]
    fn what_a_stranger_may_lengthen_is_cut() {
        let (tracer, mut queued, _) = tracer(&Otel::default());
        let long = "é".repeat(SPAN_TEXT_BYTES_MAX);
        let mut span = tracer.start(Kind::Server, "x", None);
        let recording = span.recording().expect("it is recorded");
        recording.set("text", long.clone());
        recording.rename(long.clone());
        (0..2 * SPAN_ATTRIBUTES_MAX).for_each(|number| recording.set("number", i64::from(number)));
        span.fail("reason", &long);
        drop(span);
        let span = ended(&mut queued);
        let text = "é".repeat(SPAN_TEXT_BYTES_MAX / 2);
        assert_eq!((span.name.as_ref(), span.attributes[0].value.to_string()), (text.as_str(), text.clone()));
        assert_eq!((span.attributes.len(), span.status), (SPAN_ATTRIBUTES_MAX as usize, Status::error(text)));
    }

    #[test]
    fn the_queue_has_two_bounds_and_what_is_over_them_is_counted() {
        for config in
            [Otel { queue_spans_max: 3, ..Otel::default() }, Otel { queue_bytes_max: 3 * 600, ..Otel::default() }]
        {
            let (tracer, mut queued, hop) = tracer(&config);
            (0..10).for_each(|_| drop(tracer.start(Kind::Server, "x", None)));
            let counts = hop.figures();
            assert_eq!((counts.in_flight, counts.dropped(Reason::QueueFull)), (3, 7), "{config:?}");
            (0..3).for_each(|_| drop(ended(&mut queued)));
            drop(tracer.start(Kind::Server, "x", None));
            assert_eq!(hop.figures().in_flight, 1, "there is room again");
            drop(queued);
            drop(tracer.start(Kind::Server, "x", None));
            let counts = hop.figures();
            assert_eq!((counts.in_flight, counts.dropped(Reason::Abandoned)), (0, 2));
        }
    }
}
