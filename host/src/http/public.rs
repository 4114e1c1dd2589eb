//! The public surface: `/NAME/` calls the processor of a plugin, answers with the first of its messages and publishes all of them; or it is
//! where a handler is mounted.

mod mount;

use super::answer::{say_who, with_type};
use super::problem::Problem;
use super::query::{self, Pairs};
use super::server::body::{self, InFlight, InFlightBudget};
use super::server::head::{Head, Route};
use super::server::middleware::Routes;
use crate::byte_budget::Held;
use crate::config::Network;
use crate::dead_letters::{DeadLetters, NewLetter};
use crate::flow::{Failed, Flow, Message, Metadata, Output, Outputs, Processed, ServedBy, Sink};
use crate::ledger::Hop;
use crate::plugin::handler_fields::is_of_connection;
use crate::plugin::{CallError, HttpHandler, PluginStage, Processor, Role, Slot, Slots};
use bytes::Buf;
use futures_util::Stream;
use smallvec::smallvec;
use std::sync::Arc;
use std::time::Duration;
use warp::Filter;
use warp::http::header::CONTENT_TYPE;
use warp::http::{HeaderValue, Method, StatusCode};
use warp::reply::Response;

const PLUGIN_METHODS: &str = "GET, HEAD, POST";
const INDEX_METHODS: &str = "GET, HEAD";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What the surface needs.
pub struct Public {
    /// The plugins.
    pub slots: Arc<Slots>,
    /// Where returned messages go.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// The hop of calls of transforms.
    pub transform_hop: Arc<Hop>,
    /// The hop of calls of handlers.
    pub handler_hop: Arc<Hop>,
    /// Takes the messages whose call broke down.
    pub dead_letters: DeadLetters,
    /// The bound on a request's body.
    pub body_bytes_max: usize,
    /// What all bodies may take together, those of answers included.
    pub in_flight: InFlightBudget,
    /// How long a body may take to come whole.
    pub body_timeout: Duration,
    /// Whether the surface is HTTPS.
    pub is_https: bool,
    /// Whose word is passed on of where a request comes from.
    pub trusted_gateways: Vec<Network>,
    /// Whether callers show a token of this surface.
    pub has_token: bool,
}

impl Public {
    /// The routes, for a [`super::Server`].
    pub fn routes(self) -> Routes {
        let public = Arc::new(self);
        warp::ext::get()
            .and(warp::body::stream())
            .then(move |head: Arc<Head>, body| {
                let public = Arc::clone(&public);
                async move {
                    let mut response = public.answer(&head, body).await.unwrap_or_else(Problem::into_response);
                    if head.span.is_recorded()
                        && let Some(route) = public.route(head.path())
                    {
                        response.extensions_mut().insert(route);
                    }
                    response
                }
            })
            .boxed()
    }

    async fn answer<B: Buf>(
        &self,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<Response, Problem> {
        let (name, below) = split(head.path());
        if name.is_empty() && below.is_empty() {
            return self.index(&head.parts.method);
        }
        let slot = self.slots.get(name).ok_or(Problem::NoRoute)?;
        match slot.has_role(HttpHandler::NAME) {
            Some(true) => self.handler(&slot, below, head, body).await,
            // It may be a handler's: who knows once it is loaded.
            None if !is_end(below) => Err(CallError::EmptySlot.into()),
            _ if !is_end(below) => Err(Problem::NoRoute),
            _ => self.transform(&slot, head, body).await,
        }
    }

    /// The route that a path has, of which there are as many as plugins.
    fn route(&self, path: &str) -> Option<Route> {
        let (name, below) = split(path);
        if name.is_empty() && below.is_empty() {
            return Some(Route("/".to_owned()));
        }
        let slot = self.slots.get(name)?;
        match slot.has_role(HttpHandler::NAME) {
            Some(true) => Some(Route(format!("/{name}/*"))),
            _ => is_end(below).then(|| Route(format!("/{name}/"))),
        }
    }

    /// `GET /`: name, version, routes.
    fn index(&self, method: &Method) -> Result<Response, Problem> {
        if method != Method::GET && method != Method::HEAD {
            return Err(Problem::Method(INDEX_METHODS));
        }
        let mut text = format!("Tidegate {}\n", env!("CARGO_PKG_VERSION"));
        for slot in self.slots.all() {
            match slot.has_role(Processor::NAME) {
                Some(true) => text += &format!("/{}/?param=TEXT\n", slot.name()),
                Some(false) if slot.has_role(HttpHandler::NAME) == Some(true) => {
                    text += &format!("/{}/…\n", slot.name())
                }
                Some(false) => {}
                None => text += &format!("/{}/ (not loaded)\n", slot.name()),
            }
        }
        Ok(with_type(text, TEXT))
    }

    /// `/NAME/` of a transform.
    async fn transform<B: Buf>(
        &self,
        slot: &Arc<Slot>,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<Response, Problem> {
        check_method(slot, &head.parts.method)?;
        let (message, _held) = self.message(slot, head, body).await?;
        let room = self.room(slot)?;

        let stage = PluginStage::<Processor>::new(Arc::clone(slot));
        let flow = Flow { hop: &self.transform_hop, stage: &stage, sinks: &self.sinks };
        let (passage, number) = flow.enter();
        let passage = passage.of_client();
        let Processed { by, result } = flow.process(message, number).await;
        let answer = match result {
            Ok(outputs) => {
                passage.out();
                reply(flow, &head.parts.method, outputs, room)
            }
            Err(Failed { failure, input }) => {
                passage.dropped(failure.reason);
                if failure.fault.is_worth_a_letter() {
                    let (by, detail) = (by.as_deref(), failure.detail.clone());
                    self.dead_letters.write(NewLetter::of_call(slot.name(), number, by, failure.reason, detail, input));
                }
                Err(Problem::Failed(failure))
            }
        };
        Ok(stamped(by, answer))
    }

    /// The message that a request stands for: of a GET its parameter, of a POST its body.
    async fn message<B: Buf>(
        &self,
        slot: &Slot,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<(Message, Option<Held>), Problem> {
        let mut pairs = query::pairs(head.query()).map_err(Problem::Malformed)?;
        let (body, held) = if head.parts.method == Method::POST {
            let InFlight { bytes, held } = self.body(slot, head, body).await?;
            (bytes, Some(held))
        } else {
            (parameter(&mut pairs)?, None)
        };

        // Beside the pairs of the query there are three at most.
        let mut metadata = Metadata::with_capacity(3 + pairs.len());
        metadata.push(("tidegate.request-id".to_owned(), head.id.clone()));
        if let Some(trace) = &head.trace {
            metadata.push(("tidegate.traceparent".to_owned(), trace.as_str().to_owned()));
        }
        let headers = &head.parts.headers;
        let content_type = headers.get(CONTENT_TYPE);
        if let Some(content_type) = content_type.filter(|_| !is_of_connection(headers, &CONTENT_TYPE)) {
            let text = content_type
                .to_str()
                .map_err(|_| Problem::Malformed("the content-type of the request is not plain ASCII".to_owned()))?;
            metadata.push(("http.content-type".to_owned(), text.to_owned()));
        }
        metadata.extend(pairs.into_iter().map(|(name, value)| (format!("query.{name}"), value.into_owned())));
        Ok((Message { metadata, frames: smallvec![body.into()], trace: head.span.clone() }, held))
    }

    /// The body of a request, with its part of the budget.
    async fn body<B: Buf>(
        &self,
        slot: &Slot,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<InFlight, Problem> {
        let bound = ("body_bytes_max", self.body_bytes_max);
        let budget = (&self.in_flight, Some(slot.room()));
        body::read_within(budget, &head.parts.headers, std::pin::pin!(body), bound, self.body_timeout).await
    }

    /// Room for what a call may return.
    fn room(&self, slot: &Slot) -> Result<Held, Problem> {
        self.in_flight.reserve(Some(slot.room()), slot.output_bytes_max())
    }
}

/// What becomes of what came out of a flow: a place in each sink, then an answer. A HEAD publishes nothing.
fn reply(flow: Flow<'_>, method: &Method, outputs: Outputs, room: Held) -> Result<Response, Problem> {
    let mut outputs = outputs.into_iter();
    let Some(Output { mut message, .. }) = outputs.next() else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(response);
    };
    let content_type = message.metadata.iter().rfind(|(key, _)| key == "content-type");
    let content_type = match content_type {
        Some((_, text)) => HeaderValue::from_str(text).map_err(|_| Problem::ContentType)?,
        None => TEXT,
    };
    // The answer and the sinks have the same bytes, however many.
    let body = room.keep(message.frames.pop().unwrap_or_default());
    if method != Method::HEAD {
        message.frames.push(body.clone());
        for message in std::iter::once(message).chain(outputs.map(|output| output.message)) {
            flow.offer(&message).map_err(|_| Problem::QueueFull)?;
        }
    }
    Ok(with_type(body, content_type))
}

/// Whether a slot takes such a request. An unknown route wins over a wrong method.
fn check_method(slot: &Slot, method: &Method) -> Result<(), Problem> {
    match slot.has_role(Processor::NAME) {
        Some(false) => Err(Problem::NoRoute),
        _ if ![Method::GET, Method::HEAD, Method::POST].contains(method) => Err(Problem::Method(PLUGIN_METHODS)),
        Some(true) => Ok(()),
        None => Err(CallError::EmptySlot.into()),
    }
}

/// A path's first part, which names a plugin, and what stands below that.
fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_at(path.find('/').unwrap_or(path.len()))
}

/// Whether nothing stands below a mount.
fn is_end(below: &str) -> bool {
    below.is_empty() || below == "/"
}

/// Takes the one parameter out of a query's pairs.
fn parameter(pairs: &mut Pairs<'_>) -> Result<Vec<u8>, Problem> {
    let mut parameters = pairs.extract_if(.., |(name, _)| name == "param" || name == "Param");
    let malformed = |detail: &str| Err(Problem::Malformed(detail.to_owned()));
    match (parameters.next(), parameters.next()) {
        (Some((_, value)), None) => Ok(value.into_owned().into_bytes()),
        (Some(_), Some(_)) => malformed("the query has more than one param; send one"),
        (None, _) => malformed("the query has no param; send ?param=TEXT, or a body with POST"),
    }
}

/// The answer with who gave it: for the caller, and for the log.
fn stamped(by: Option<Arc<ServedBy>>, answer: Result<Response, Problem>) -> Response {
    let mut response = answer.unwrap_or_else(Problem::into_response);
    if let Some(by) = by {
        say_who(response.headers_mut(), &by);
        // For the line about the request, where that is wanted.
        if tracing::enabled!(tracing::Level::DEBUG) {
            response.extensions_mut().insert(by);
        }
    }
    response
}
