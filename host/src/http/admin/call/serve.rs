//! What the admin surface is asked to try: bodies are read within their bounds, and what they say is called.

use super::{Input, answer, chain};
use crate::config::{ADD_EXAMPLES_BYTES_MAX, ADMIN_CALL_BYTES_MAX};
use crate::flow::{SOCKET_KEY, ServedBy, Stage};
use crate::http::admin::plugins::{Swap, not_put};
use crate::http::admin::{Admin, BODY_TIMEOUT, flows, json};
use crate::http::problem::Problem;
use crate::http::server::body::{self, InFlight};
use crate::http::server::head::Head;
use crate::plugin::{AddExamplesError, CallNumber, Loaded, Slot};
use bytes::Buf;
use futures_util::Stream;
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;
use warp::reply::Response;

/// What serves after a swap, and how many examples its component carries.
#[derive(Serialize)]
struct WithExamples<'a> {
    #[serde(flatten)]
    swap: Swap<'a>,
    examples: usize,
}

impl Admin {
    /// Calls a plugin to try it.
    pub(in crate::http::admin) async fn call<B: Buf>(
        &self,
        slot: &Slot,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<Response, Problem> {
        let InFlight { bytes, held: _held } = self.call_body(head, body).await?;
        let _room = self.in_flight.reserve(None, slot.output_bytes_max())?;
        let input = Input::read(&bytes, head.id.clone())?;
        let number = CallNumber::Trial(self.calls.fetch_add(1, Ordering::Relaxed));
        answer(slot, input, head.id.clone(), number).await
    }

    /// Calls all steps of a route to try them, or the handler that is mounted there.
    pub(in crate::http::admin) async fn call_route<B: Buf>(
        &self,
        name: String,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<Response, Problem> {
        let route = self.routes.find(&name).map_err(|_| Problem::NoRouteNamed(name))?;
        if let Some(slot) = route.handler() {
            return self.call(slot, head, body).await;
        }
        let stages: Vec<_> = route.steps().iter().map(|step| step.stage(false)).collect();
        self.call_all(&stages, None, head, body).await
    }

    /// Calls all steps of a flow to try them.
    pub(in crate::http::admin) async fn call_flow<B: Buf>(
        &self,
        name: String,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<Response, Problem> {
        let flow = flows::find(&self.surfaces, &name).ok_or(Problem::NoFlow(name))?;
        let from = flow.path().and_then(|path| path.from.first()).map(String::as_str);
        self.call_all(flow.stages(), from, head, body).await
    }

    /// Makes the call of a dead letter in the component that is the body.
    pub(in crate::http::admin) async fn try_letter<B: Buf>(
        &self,
        id: &str,
        _permit: OwnedSemaphorePermit,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<Response, Problem> {
        let (letter, plugin, bytes_max) = self.letters.of_call(id).await?;
        let bytes = body::read(&head.parts.headers, body, ("component_bytes_max", bytes_max), BODY_TIMEOUT).await?;
        self.letters.try_with(letter, plugin, bytes).await
    }

    /// Calls all steps of a route or a flow to try them, with a message as it comes from a socket of this name, if it comes
    /// from one.
    async fn call_all<B: Buf>(
        &self,
        stages: &[Arc<dyn Stage>],
        from: Option<&str>,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<Response, Problem> {
        let steps = chain::Steps::new(stages, &self.slots)?;
        let InFlight { bytes, held: _held } = self.call_body(head, body).await?;
        let _room = self.in_flight.reserve(None, steps.bytes_max())?;
        let mut message = chain::message(Input::read(&bytes, head.id.clone())?)?;
        if let Some(from) = from.filter(|_| message.metadata.iter().all(|(key, _)| key != SOCKET_KEY)) {
            message.metadata.push((SOCKET_KEY.to_owned(), from.to_owned()));
        }
        steps.answer(message, &self.calls).await
    }

    async fn call_body<B: Buf>(
        &self,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<InFlight, Problem> {
        let bound = ("the bound of a call,", ADMIN_CALL_BYTES_MAX);
        body::read_within((&self.in_flight, None), &head.parts.headers, body, bound, BODY_TIMEOUT).await
    }

    /// Has the component of a plugin carry further examples, to the end even if the caller goes away meanwhile.
    pub(in crate::http::admin) async fn add_examples<B: Buf>(
        &self,
        slot: Arc<Slot>,
        name: Option<String>,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<Response, Problem> {
        let bound = ("the bound of examples,", ADD_EXAMPLES_BYTES_MAX);
        let bytes = body::read(&head.parts.headers, body, bound, BODY_TIMEOUT).await?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|error| Problem::Malformed(format!("the body is no UTF-8: {error}")))?;
        let (slots, plugin) = (Arc::clone(&self.slots), slot.name().to_owned());
        let work = tokio::spawn(async move { slots.add_examples(&slot, text, name).await });
        match work.await.map_err(|_| Problem::Host)? {
            Ok((Loaded { served_by, changed, .. }, examples)) => {
                let ServedBy { plugin, generation, digest, .. } = &*served_by;
                let swap = Swap { plugin, generation: *generation, digest, changed, persisted: true };
                json(&WithExamples { swap, examples })
            }
            Err(AddExamplesError::Malformed(text)) => Err(Problem::Malformed(text)),
            Err(AddExamplesError::NoFile(text)) => Err(Problem::NoExamples(text)),
            Err(AddExamplesError::Put(error)) => Err(not_put(plugin, error)),
        }
    }
}
