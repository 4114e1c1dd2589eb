//! The public surface: `/NAME/` has the steps of a route process a message, answers with what comes out and sends it
//! on; or it is where a handler is mounted.

mod compress;
mod message;
mod mount;
mod parts;
mod reply;
mod response;

use super::answer::{say_met, with_type};
use super::events::{self, Hub};
use super::problem::Problem;
use super::route::{FoundRoute, Kind, Ran, RouteTable, split};
use super::server::body::{self, InFlight, InFlightBudget};
use super::server::head::{Head, RouteName};
use super::server::middleware::Routes;
use crate::byte_budget::{BudgetShare, Held};
use crate::config::Network;
use crate::flow::{Failed, Met, Metadata};
use crate::ledger::Hop;
use crate::plugin::CallError;
use crate::record::dead_letters::{DeadLetters, NewLetter};
use bytes::Buf;
use futures_util::Stream;
use std::sync::Arc;
use std::time::Duration;
use warp::Filter;
use warp::http::header::VARY;
use warp::http::{HeaderValue, Method};
use warp::reply::Response;

const INDEX_METHODS: &str = "GET, HEAD";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What the surface needs.
pub struct Public {
    /// The routes.
    pub table: Arc<RouteTable>,
    /// The events, if there are any.
    pub events: Option<Arc<Hub>>,
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
                        && let Some(route) = public.route_name(head.path())
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
        if let Some(hub) = self.events(head.path()) {
            return events::answer(hub, head);
        }
        let route = self.table.find(name)?;
        let served = self.serve(&route, below, head, body).await;
        if !route.options().compress {
            return served;
        }
        let mut response = served.unwrap_or_else(Problem::into_response);
        response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
        Ok(response)
    }

    async fn serve<B: Buf>(
        &self,
        route: &FoundRoute,
        below: &str,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<Response, Problem> {
        if let Some(slot) = route.handler() {
            // Boxed, as whatever most requests do without: the future of each would be larger.
            return Box::pin(self.handler(route, slot, below, head, body)).await;
        }
        match is_end(below) {
            true => self.process(route, head, body).await,
            // It may be a handler's: who knows once it is loaded.
            false if route.first().is_empty() => Err(CallError::EmptySlot.into()),
            false => Err(Problem::NoRoute),
        }
    }

    /// The route that a path has, as its span names it.
    fn route_name(&self, path: &str) -> Option<RouteName> {
        let (name, below) = split(path);
        if name.is_empty() && below.is_empty() {
            return Some(RouteName("/".to_owned()));
        }
        if self.events(path).is_some() {
            return Some(RouteName(events::PATH.to_owned()));
        }
        match self.table.find(name).ok()?.handler() {
            Some(_) => Some(RouteName(format!("/{name}/*"))),
            None => is_end(below).then(|| RouteName(format!("/{name}/"))),
        }
    }

    /// The events, if they are at this path.
    fn events(&self, path: &str) -> Option<&Arc<Hub>> {
        self.events.as_ref().filter(|_| path == events::PATH)
    }

    /// `GET /`: name, version, routes.
    fn index(&self, method: &Method) -> Result<Response, Problem> {
        if method != Method::GET && method != Method::HEAD {
            return Err(Problem::Method(INDEX_METHODS));
        }
        let mut text = format!("Tidegate {}\n", env!("CARGO_PKG_VERSION"));
        if self.events.is_some() {
            text += "/events?topic=TOPIC\n";
        }
        for name in self.table.names() {
            let Ok(route) = self.table.find(&name) else { continue };
            text += &match route.kind() {
                Some(Kind::Handler) => format!("/{name}/…\n"),
                Some(Kind::Processors) => format!("/{name}/?param=TEXT\n"),
                Some(Kind::Nothing) => String::new(),
                None => format!("/{name}/ (not loaded)\n"),
            }
        }
        Ok(with_type(text, TEXT))
    }

    /// `/NAME/` of a route whose plugins process messages.
    async fn process<B: Buf>(
        &self,
        route: &FoundRoute,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<Response, Problem> {
        check_method(route, &head.parts.method)?;
        let (message, _held) = self.message(route, head, body).await?;
        if route.has_host_stage() {
            // Boxed: the future of every other request would be as large.
            return Ok(Box::pin(self.answer_in_parts(route, head, message)).await);
        }
        let room = self.room(route.first().share(), route.output_bytes_max())?;
        let asked = if route.options().headers.is_empty() { Metadata::new() } else { message.metadata.clone() };
        let Ran { met, number, result } = route.run(&self.table, message).await;
        let answer = match result {
            Ok((outputs, passage)) => reply::reply(self, route, (head, &asked), outputs, passage, room).await,
            Err(failed) => {
                let failure = failed.failure.clone();
                self.keep(route, &met, number, failed);
                Err(Problem::Failed(failure))
            }
        };
        Ok(stamped(&met, answer))
    }

    /// Keeps a message that a step of the route broke down at.
    fn keep(&self, route: &FoundRoute, met: &Met, number: u64, failed: Failed) {
        if failed.failure.fault.is_worth_a_letter() {
            self.dead_letters.write(letter(route, met, number, failed));
        }
    }

    /// The body of a request, with its part of the budget.
    async fn body<B: Buf>(
        &self,
        share: &BudgetShare,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<InFlight, Problem> {
        let bound = ("body_bytes_max", self.body_bytes_max);
        let budget = (&self.in_flight, Some(share));
        body::read_within(budget, &head.parts.headers, std::pin::pin!(body), bound, self.body_timeout).await
    }

    /// Room for what the calls of a request may return.
    fn room(&self, share: &BudgetShare, bytes: usize) -> Result<Held, Problem> {
        self.in_flight.reserve(Some(share), bytes)
    }
}

/// The letter of a message that a step of a route failed at.
fn letter(route: &FoundRoute, met: &Met, number: u64, Failed { failure, input }: Failed) -> NewLetter {
    let by = met.last().map(|by| &**by);
    let letter = NewLetter::of_call(route.name(), number, by, failure.reason, failure.detail, input);
    if route.steps().len() > 1 || !met.is_said_by_last() { letter.after(met.to_string()) } else { letter }
}

/// Whether a route takes such a request. An unknown route wins over a wrong method.
fn check_method(route: &FoundRoute, method: &Method) -> Result<(), Problem> {
    match route.kind() {
        Some(Kind::Nothing) => Err(Problem::NoRoute),
        _ if !route.methods().split(", ").any(|taken| taken == method.as_str()) => {
            Err(Problem::Method(route.methods()))
        }
        Some(_) => Ok(()),
        None => Err(CallError::EmptySlot.into()),
    }
}

/// Whether nothing stands below a mount.
fn is_end(below: &str) -> bool {
    below.is_empty() || below == "/"
}

/// The answer with who gave it: for the caller, and for the log.
fn stamped(met: &Met, answer: Result<Response, Problem>) -> Response {
    let mut response = answer.unwrap_or_else(Problem::into_response);
    say_met(response.headers_mut(), met);
    // For the line about the request, where that is wanted.
    if let Some(by) = met.last().filter(|_| tracing::enabled!(tracing::Level::DEBUG)) {
        response.extensions_mut().insert(Arc::clone(by));
    }
    response
}
