//! The reply policy as the broker calls it: one call per request, started on one thread and ended there or on another.

use super::core::{Call, Ended, Ticket};
use super::tap::Tap;
use crate::flow::{Processed, Stage};
use crate::request_id::{RequestId, RequestIds};
use futures_util::future::BoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tracing::Instrument;

/// The stage that answers requests.
pub(super) struct Policy {
    /// Returns the replies to a request.
    pub(super) stage: Arc<dyn Stage>,
    /// Gives each request its id.
    pub(super) request_ids: Arc<RequestIds>,
    /// Where whoever watches sees the requests.
    pub(super) tap: Tap,
}

/// A call. It starts when it is first polled, which must be in the context of the runtime: a guest that does not wait
/// for anything runs until it returns or one tick of the engine has passed.
pub(super) struct PolicyCall {
    ticket: Ticket,
    id: RequestId,
    processing: BoxFuture<'static, Processed>,
    began: Option<Instant>,
}

impl Policy {
    /// A call that has not started yet.
    pub(super) fn call(&self, call: Call) -> PolicyCall {
        let Call { ticket, number, key, mut message } = call;
        let id = self.request_ids.next_id();
        // Log lines about the request name its key too.
        let span = key.as_ref().map(|key| tracing::info_span!("request", curve_key = key));
        message.metadata.reserve_exact(2);
        message.metadata.push(("tidegate.request-id".to_owned(), id.to_string()));
        message.metadata.extend(key.map(|key| ("tidegate.curve-key".to_owned(), key)));
        self.tap.see_request(&message);
        let processing = self.tap.call(&*self.stage, message, number);
        let processing = match span {
            None => processing,
            Some(span) => Box::pin(processing.instrument(span)),
        };
        PolicyCall { ticket, id, processing, began: None }
    }
}

impl Future for PolicyCall {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let Poll::Ready(Processed { by, result }) = self.processing.as_mut().poll(context) else {
            return Poll::Pending;
        };
        let at = Instant::now();
        let (ticket, id, took) = (self.ticket, self.id, at.duration_since(began));
        Poll::Ready(Ended { ticket, id, by, result, at, took })
    }
}
