//! A slot's calls of the role `http-handler`: as all calls, but begun to be answered before they end.

use super::{Slot, traced};
use crate::buckets::CallBuckets;
use crate::byte_budget::Held;
use crate::flow::Failure;
use crate::ledger::Passage;
use crate::plugin::call::{Answer, CallNumber};
use crate::plugin::roles::http_handler::HttpHandler;
use crate::plugin::run::response::{ResponseBody, response_to};
use crate::traces::Span;
use bytes::Bytes;
use hyper::Request;
use hyper::http::response::Parts;
use std::sync::Arc;

impl Slot {
    /// Calls the role `http-handler` of the generation that serves now. `call` is the passage at its hop, and its
    /// number; it ends as the call does, and so does its `span`: that may be after this has returned the beginning of
    /// the response. `room` is for all that it may return.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        request: Request<Bytes>,
        request_id: String,
        (call, number): (Passage, u64),
        room: Held,
        span: Span,
    ) -> Answer<(Parts, ResponseBody)> {
        let serving = self.history.serving();
        let by = serving.as_ref().map(|serving| Arc::clone(&serving.served_by));
        let (outlet, inlet) = response_to(request.method().clone(), room);
        let (slot, input, number) = (Arc::clone(self), (request, outlet), CallNumber::Message(number));
        let served_by = by.clone();
        let handled = async move {
            let result = slot
                .call_generation::<HttpHandler>(serving.as_ref(), input, &request_id, (number, CallBuckets::Plain))
                .await;
            match &result {
                Ok(()) => call.out(),
                Err(error) => call.dropped(error.reason()),
            }
            let failure = result.as_ref().err().map(|error| Failure::from(error.clone()));
            traced::end(span, served_by.as_deref(), failure.as_ref());
            result
        };
        Answer { by, result: inlet.of(handled).await }
    }
}
