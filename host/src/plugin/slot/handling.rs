//! A slot's calls of the role `http-handler`: admitted, counted and judged as all calls, but begun to be answered before
//! they end.

use super::Slot;
use crate::byte_budget::Held;
use crate::ledger::Passage;
use crate::plugin::call::{CallError, CallNumber, Stamp};
use crate::plugin::run::response::{ResponseBody, response_to};
use bytes::Bytes;
use hyper::Request;
use hyper::http::response::Parts;
use std::sync::Arc;

impl Slot {
    /// Calls the role `http-handler` of the generation that serves now. `call` is the passage at its hop, and its number; it ends
    /// as the call does: that may be after this has returned the beginning of the response. `room` is for all that it may return.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        request: Request<Bytes>,
        request_id: String,
        (call, number): (Passage, u64),
        room: Held,
    ) -> (Option<Arc<Stamp>>, Result<(Parts, ResponseBody), CallError>) {
        let passage = self.account.hop.enter().of_client();
        let Some(serving) = self.history.serving() else {
            let error = CallError::EmptySlot;
            passage.dropped(error.reason());
            call.dropped(error.reason());
            return (None, Err(error));
        };
        let by = Some(Arc::clone(&serving.stamp));
        let (trial, permit) = match self.admit(&serving) {
            Ok(admitted) => admitted,
            Err(error) => {
                self.settle(&serving, passage, Some(&error), None, &request_id);
                call.dropped(error.reason());
                return (by, Err(error));
            }
        };
        let (outlet, inlet) = response_to(request.method().clone(), room);
        let slot = Arc::clone(self);
        let call = async move {
            let idle = Arc::clone(&serving.idle);
            let handled = serving.plugin.handle(request, CallNumber::Message(number), idle, outlet, permit);
            let result = slot.timed(handled).await;
            slot.settle(&serving, passage, result.as_ref().err(), Some(trial), &request_id);
            match &result {
                Ok(()) => call.out(),
                Err(error) => call.dropped(error.reason()),
            }
            result
        };
        (by, inlet.of(call).await)
    }
}
