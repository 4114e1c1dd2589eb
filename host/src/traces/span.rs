//! A span: one piece of work that is recorded, from its beginning until it is dropped, and what may begin below it.

use crate::config::SPAN_TEXT_BYTES_MAX;
use crate::ledger::Reason;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The attribute that names the reason of a failure, as the semantic conventions have it.
const ERROR_TYPE: &str = "error.type";

/// What a span is to those on its two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request that somebody waits for.
    Server,
    /// A message that is taken from a queue or a socket.
    Consumer,
    /// A message that is sent.
    Producer,
    /// Work inside the host.
    Internal,
}

/// A span that ends when it is dropped. If nobody has said by then how its work ended, it counts as abandoned, as a
/// passage does. Most spans are empty: nothing is recorded of them, and they cost nothing.
#[derive(Debug, Default)]
pub struct Span(Option<Box<Recording>>);

/// A span of which something is recorded.
#[derive(Debug)]
pub struct Recording {
    span: SdkSpan,
    context: TraceContext,
    /// Why its work came to nothing, as long as nobody has said how it ended.
    unsettled: Option<Reason>,
}

/// A span below which others may begin, and nothing where none is recorded. It does not keep its span from ending.
#[derive(Clone, Default)]
pub struct TraceContext(Option<Arc<Parent>>);

struct Parent {
    tracer: Arc<SdkTracer>,
    span: SpanContext,
}

impl Span {
    pub(super) fn begin(
        tracer: &Arc<SdkTracer>,
        kind: Kind,
        name: Cow<'static, str>,
        parent: Option<SpanContext>,
    ) -> Self {
        let below = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent));
        let span = tracer.build_with_context(SpanBuilder::from_name(name).with_kind(kind.into()), &below);
        if !span.is_recording() {
            return Self::default();
        }
        let parent = Parent { tracer: Arc::clone(tracer), span: span.span_context().clone() };
        let context = TraceContext(Some(Arc::new(parent)));
        Self(Some(Box::new(Recording { span, context, unsettled: Some(Reason::Abandoned) })))
    }

    /// For the spans below it, which may begin and end after it.
    pub fn context(&self) -> TraceContext {
        self.0.as_ref().map(|recording| recording.context.clone()).unwrap_or_default()
    }

    /// The span as something that can be described; none if nothing is recorded of it.
    pub fn recording(&mut self) -> Option<&mut Recording> {
        self.0.as_deref_mut()
    }

    /// Its work ended well.
    pub fn settle(&mut self) {
        if let Some(recording) = self.recording() {
            recording.unsettled = None;
        }
    }

    /// Its work failed, for a reason with a name, and in detail for this one.
    pub fn fail(&mut self, reason: impl Into<Value>, detail: &str) {
        if let Some(recording) = self.recording() {
            recording.fail(reason, detail);
        }
    }
}

impl Recording {
    /// Sets an attribute, which is not set yet.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        let value = match value.into() {
            Value::String(text) if text.as_str().len() > SPAN_TEXT_BYTES_MAX => {
                bounded(text.as_str()).to_owned().into()
            }
            value => value,
        };
        self.span.set_attribute(KeyValue::new(key, value));
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: String) {
        self.span.update_name(bounded(&name).to_owned());
    }

    /// Somebody waits for its work on a connection, and gives it up by going away.
    pub fn of_client(&mut self) {
        self.unsettled = Some(Reason::ClientGone);
    }

    /// Its work came to nothing for this reason, which is no failure of whoever did it.
    pub fn settle_for(&mut self, reason: &'static str) {
        self.set(ERROR_TYPE, reason);
        self.unsettled = None;
    }

    fn fail(&mut self, reason: impl Into<Value>, detail: &str) {
        self.set(ERROR_TYPE, reason);
        self.span.set_status(Status::error(bounded(detail).to_owned()));
        self.unsettled = None;
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(reason) = self.unsettled {
            self.fail(reason.as_str(), "");
        }
    }
}

impl TraceContext {
    /// Begins a span below it.
    pub fn child(&self, kind: Kind, name: impl FnOnce() -> Cow<'static, str>) -> Span {
        let Some(parent) = &self.0 else { return Span::default() };
        Span::begin(&parent.tracer, kind, name(), Some(parent.span.clone()))
    }

    /// Whether spans below it are recorded.
    pub fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// What tells another process of it, in the form of W3C Trace Context.
    pub fn traceparent(&self) -> Option<String> {
        let span = &self.0.as_ref()?.span;
        Some(format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags()))
    }

    fn id(&self) -> Option<&SpanContext> {
        self.0.as_ref().map(|parent| &parent.span)
    }
}

impl PartialEq for TraceContext {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for TraceContext {}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceContext").field(&self.traceparent()).finish()
    }
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Server => Self::Server,
            Kind::Consumer => Self::Consumer,
            Kind::Producer => Self::Producer,
            Kind::Internal => Self::Internal,
        }
    }
}

/// As much of a text as one span may keep.
fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(SPAN_TEXT_BYTES_MAX)]
}
