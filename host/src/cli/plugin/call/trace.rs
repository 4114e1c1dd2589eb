//! What a guest calls of its imports and what it logs, told on stderr as it happens.
//!
//! The WASI of the host reports each call to `tracing`: this listens.

use crate::cli::output::render::one_line;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The library that has the imports.
const IMPORTS: &str = "wasmtime_wasi";
/// This one, which has the guests' log.
const LOG: &str = "tidegate";

/// Prints the guest's calls of its imports from [`CallTrace::begin`] on.
pub(crate) struct CallTrace {
    on: Arc<AtomicBool>,
}

impl CallTrace {
    /// Makes ready; there can be one.
    pub(super) fn start() -> Self {
        let on = Arc::new(AtomicBool::new(false));
        let wanted = Targets::new().with_targets([(IMPORTS, LevelFilter::TRACE), (LOG, LevelFilter::TRACE)]);
        let layer = TraceLayer { on: Arc::clone(&on) }.with_filter(wanted);
        tracing_subscriber::registry().with(layer).init();
        Self { on }
    }

    /// From here on: what loading calls is not of interest.
    pub(super) fn begin(&self) {
        self.on.store(true, Ordering::Relaxed);
    }
}

struct TraceLayer {
    on: Arc<AtomicBool>,
}

/// A call of an import that has not returned: its name, then its arguments too.
struct Import(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id)
            && let (Some(module), Some(function)) = (fields.get("module"), fields.get("function"))
        {
            span.extensions_mut().insert(Import(format!("{module}.{function}")));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        if event.metadata().target().starts_with(LOG) {
            say(&format!("{} {}", event.metadata().level().as_str().to_lowercase(), fields.of_log()));
            return;
        }
        let Some(span) = context.event_span(event) else { return };
        let mut extensions = span.extensions_mut();
        let Some(Import(call)) = extensions.get_mut() else { return };
        match fields.get("message") {
            Some("call") => {
                let _ = write!(call, "({})", fields.arguments());
            }
            Some("return") => {
                say(&format!("{call}{}", fields.result()));
                extensions.remove::<Import>();
            }
            _ => {}
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        // It trapped, or the call's time was over.
        if self.on.load(Ordering::Relaxed)
            && let Some(span) = context.span(&id)
            && let Some(Import(call)) = span.extensions().get()
        {
            say(&format!("{call} did not return"));
        }
    }
}

/// What an event says, by name.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
    }

    fn of_log(&self) -> String {
        // There is but one plugin.
        let fields = self.0.iter().filter(|(name, _)| *name != "plugin");
        let list: Vec<_> = fields.map(|(name, value)| format!("{name}={value}")).collect();
        list.join(" ")
    }

    fn arguments(&self) -> String {
        let named = self.0.iter().filter(|(name, _)| *name != "message");
        // A method's first argument is its resource, which has a number and says nothing.
        let list: Vec<_> =
            named.filter(|(name, _)| *name != "self_").map(|(name, value)| format!("{name}: {value}")).collect();
        list.join(", ")
    }

    fn result(&self) -> String {
        let result = self.get("result").unwrap_or_default();
        // The host's own Ok, of which the guest sees the inside.
        let result = result.strip_prefix("Ok(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(result);
        if result.is_empty() || result == "()" { String::new() } else { format!(" = {result}") }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }
}

/// To stderr, whoever reads it or not.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "  {}", one_line(line));
}
