//! The attributes of messages, as the semantic conventions of OpenTelemetry name them.

use crate::traces::Recording;

/// Describes what is done to a message of so many bytes at a destination. An empty destination is left out.
pub(super) fn describe(span: &mut Recording, operation: &'static str, destination: String, bytes: usize) {
    let kind = if operation == "process" { "process" } else { "send" };
    span.set("messaging.system", "zeromq");
    span.set("messaging.operation.name", operation);
    span.set("messaging.operation.type", kind);
    span.set("messaging.message.body.size", i64::try_from(bytes).unwrap_or(i64::MAX));
    if !destination.is_empty() {
        span.set("messaging.destination.name", destination);
    }
}
