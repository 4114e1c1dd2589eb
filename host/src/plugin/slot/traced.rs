//! The spans of a slot's calls.

use super::Slot;
use crate::flow::{Failure, Fault, Metadata, ServedBy};
use crate::plugin::role::RoleName;
use crate::plugin::roles::role::Role;
use crate::traces::{Kind, Span, TraceContext};

const TRACEPARENT: &str = "tidegate.traceparent";

impl Slot {
    /// Begins the span of a call in a role, below that of what it is made for.
    pub(crate) fn span_of_call<R: Role>(&self, request_id: &str, trace: &TraceContext) -> Span {
        let mut span = trace.child(Kind::Internal, || format!("{} {}", self.called_role::<R>(), self.name()).into());
        if let Some(span) = span.recording() {
            span.set("tidegate.plugin.name", self.name().to_owned());
            span.set("tidegate.plugin.role", self.called_role::<R>().as_str());
            span.set("tidegate.request.id", request_id.to_owned());
            if R::IS_AWAITED {
                span.of_client();
            }
        }
        span
    }

    /// The role as the plugin's own version of the contract calls it.
    fn called_role<R: Role>(&self) -> RoleName {
        self.name_of_role(R::NAME).unwrap_or(R::NAME)
    }
}

/// Ends the span of a call: who answered it, and if it failed, why.
pub(super) fn end(mut span: Span, by: Option<&ServedBy>, failure: Option<&Failure>) {
    let Some(recording) = span.recording() else { return };
    if let Some(ServedBy { generation, digest, .. }) = by {
        recording.set("tidegate.plugin.generation", i64::try_from(*generation).unwrap_or(i64::MAX));
        recording.set("tidegate.plugin.digest", digest.clone());
    }
    match failure {
        None => span.settle(),
        // It is the sender's to mend, and no failure of the plugin.
        Some(Failure { fault: Fault::Sender | Fault::Recipient, reason, .. }) => recording.settle_for(reason.as_str()),
        Some(Failure { reason, detail, .. }) => span.fail(reason.as_str(), detail),
    }
}

/// Tells a guest of the span of its call, in place of the one that the caller told of.
pub(super) fn tell(metadata: &mut Metadata, span: &Span) {
    let Some(traceparent) = span.context().traceparent() else { return };
    match metadata.iter_mut().find(|(key, _)| key == TRACEPARENT) {
        Some((_, told)) => *told = traceparent,
        None => metadata.push((TRACEPARENT.to_owned(), traceparent)),
    }
}
