//! The admin surface: whether the host lives and is ready, what it counts, and its plugins to look at, swap, roll back,
//! try and unload; its flows to look at, pause and change; its workers to look at and to let go.
//!
//! `openapi.json` beside this file describes it; a test holds the two against each other.

mod accept;
mod broker;
mod call;
mod captures;
mod dead_letters;
mod flows;
mod guard;
mod ledger;
mod live;
mod metrics;
mod plugins;
mod query;
mod readiness;
mod route;
mod workers;

pub use dead_letters::LetterParts;
pub use flows::{Applied, Reconfigure};
pub use guard::Guard;
pub use metrics::{Counts, Observed};
pub use readiness::{Check, Readiness};

use self::dead_letters::Letters;
use self::live::{Sampler, Tails, Watched, peers, sse};
use self::metrics::Metrics;
use self::route::Route;
use super::answer::with_type;
use super::page;
use super::problem::Problem;
use super::route::RouteTable;
use super::server::body::{self, InFlightBudget};
use super::server::head::Head;
use super::server::middleware::Routes;
use crate::config::{ADMIN_BODY_MS_MAX, ADMIN_CALLS_BYTES_MAX, ADMIN_UPLOADS_MAX, Tail};
use crate::flow::{Surfaces, Taps};
use crate::ledger::{Ledger, Report, Snapshots};
use crate::plugin::Slots;
use crate::record::capture::Captures;
use crate::rehearsal::shadow::Shadows;
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use warp::Filter;
use warp::http::header::CACHE_CONTROL;
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

const OPENAPI: &str = include_str!("openapi.json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const BODY_TIMEOUT: Duration = Duration::from_millis(ADMIN_BODY_MS_MAX);

/// The surface, and what it needs.
pub struct Admin {
    slots: Arc<Slots>,
    guard: Guard,
    readiness: Arc<Readiness>,
    ledger: Ledger,
    snapshots: Snapshots,
    letters: Arc<Letters>,
    captures: Captures,
    shadows: Shadows,
    metrics: Arc<Metrics>,
    sampler: Arc<Sampler>,
    surfaces: Surfaces,
    routes: Arc<RouteTable>,
    tails: Tails,
    drain: Arc<Notify>,
    reconfigure: Arc<dyn Reconfigure>,
    uploads: Arc<Semaphore>,
    /// The number of the next trial.
    calls: Arc<AtomicU64>,
    in_flight: InFlightBudget,
}

/// What the surface shows and changes.
pub struct AdminParts {
    /// The plugins.
    pub slots: Arc<Slots>,
    /// Who may use the surface.
    pub guard: Guard,
    /// Set when the host begins to end.
    pub draining: Arc<AtomicBool>,
    /// What else the host waits for before it is ready.
    pub checks: Vec<Check>,
    /// What is told of the host beside its plugins.
    pub observed: Observed,
    /// Notified when the host is asked to end.
    pub drain: Arc<Notify>,
    /// The dead letters, and what makes their calls again.
    pub letters: LetterParts,
    /// Those that run, and what begins others.
    pub captures: Captures,
    /// Those that run, and what begins others.
    pub shadows: Shadows,
    /// Where messages go by, and how much of them is shown.
    pub tail: (Taps, Tail),
    /// What has other sockets, flows and routes run.
    pub reconfigure: Arc<dyn Reconfigure>,
    /// The flow that answers the frontend, if one does: its name, and its steps.
    pub frontend_flow: Option<(String, Vec<String>)>,
    /// The surface ends, and all answers that go on with it.
    pub ending: CancellationToken,
}

impl Admin {
    /// A surface that serves nothing yet.
    pub fn new(parts: AdminParts) -> Self {
        let AdminParts {
            slots,
            guard,
            draining,
            checks,
            observed,
            drain,
            letters,
            captures,
            shadows,
            tail,
            reconfigure,
            frontend_flow,
            ending,
        } = parts;
        let (ledger, surfaces) = (observed.ledger.clone(), observed.surfaces.clone());
        let readiness = Arc::new(Readiness::new(draining, Arc::clone(&slots), surfaces.clone(), checks));
        let watched = Watched {
            slots: Arc::clone(&slots),
            surfaces: surfaces.clone(),
            ledger: ledger.clone(),
            routes: Arc::clone(&letters.routes),
            readiness: Arc::clone(&readiness),
            shadows: shadows.clone(),
            captures: captures.clone(),
            frontend_flow,
            started: format!("{:.0}", jiff::Timestamp::now()),
        };
        Self {
            sampler: Sampler::new(watched, ending),
            routes: Arc::clone(&letters.routes),
            tails: Tails { taps: tail.0, shows: tail.1 },
            metrics: Arc::new(Metrics::new(Arc::clone(&slots), observed, shadows.clone(), captures.clone())),
            letters: Arc::new(Letters::new(letters, Arc::clone(&slots))),
            captures,
            shadows,
            snapshots: Snapshots::default(),
            slots,
            guard,
            readiness,
            ledger,
            surfaces,
            drain,
            reconfigure,
            uploads: Arc::new(Semaphore::new(ADMIN_UPLOADS_MAX)),
            calls: Arc::new(AtomicU64::new(1)),
            in_flight: InFlightBudget::new("the bound of all calls,", ADMIN_CALLS_BYTES_MAX),
        }
    }

    /// What is to [keep looking](Readiness::keep_looking).
    pub fn readiness(&self) -> Arc<Readiness> {
        Arc::clone(&self.readiness)
    }

    /// The routes, for a [`super::Server`].
    pub fn routes(self) -> Routes {
        let admin = Arc::new(self);
        warp::ext::get()
            .and(warp::body::stream())
            .then(move |head: Arc<Head>, body| {
                let admin = Arc::clone(&admin);
                async move { admin.answer(&head, body).await }
            })
            .boxed()
    }

    async fn answer<B: Buf>(&self, head: &Head, body: impl Stream<Item = Result<B, warp::Error>>) -> Response {
        let answer = match self.route(head) {
            Ok(route) => self.serve(route, head, std::pin::pin!(body)).await,
            Err(problem) => Err(problem),
        };
        let mut response = answer.unwrap_or_else(Problem::into_response);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    async fn serve<B: Buf>(
        &self,
        route: Route,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<Response, Problem> {
        let Head { parts, .. } = head;
        match route {
            Route::Page => Ok(page::index()),
            Route::PageFile(name) => page::file(&name).ok_or(Problem::NoAdminRoute),
            Route::Live => Ok(with_type("live\n", TEXT)),
            Route::Ready => Ok(self.readiness.answer(&parts.headers)),
            Route::OpenApi => Ok(with_type(OPENAPI, JSON)),
            Route::Ledger => {
                ledger::answer(&self.snapshots, Report::new(&self.ledger, self.slots.counts()), head.query())
            }
            Route::Overview => json(&self.sampler.overview().await?),
            Route::Changes => sse::answer(&parts.method, || Ok(self.sampler.changes()?.boxed())),
            Route::Peers => json(&peers(&self.surfaces.all())),
            Route::Letters => self.letters.list(head.query()).await,
            Route::Letter(id) => self.letters.show(id).await,
            Route::Replay(id) => {
                // To the end even if the caller goes away meanwhile: the letter gets its mark.
                let (letters, query) = (Arc::clone(&self.letters), head.query().to_owned());
                let replay = tokio::spawn(async move { letters.replay(id, &query).await });
                replay.await.unwrap_or(Err(Problem::Host))
            }
            Route::TryLetter { id, permit } => self.try_letter(&id, permit, head, body).await,
            Route::Captures => json(&self.captures.list()),
            Route::StartCapture => {
                let places = captures::Places { ledger: &self.ledger, routes: &self.routes, slots: &self.slots };
                captures::start(&self.captures, places, &parts.headers, body).await
            }
            Route::StopCapture(id) => captures::stop(&self.captures, id).await,
            Route::Shadows => json(&self.shadows.list()),
            Route::Shadow(of) => of.found(self.shadows.status(of.borrowed())),
            Route::StartShadow { slot, permit } => self.start_shadow(slot, permit, head, body).await,
            Route::StartChain(flow) => self.start_chain(&flow, head.query()),
            Route::StopShadow(of) => of.found(self.shadows.stop(of.borrowed())),
            Route::PromoteShadow(of) => self.promote_shadow(of, head.query()).await,
            Route::Metrics => {
                // A thousand plugins are a megabyte, which is no work for a thread that carries traffic.
                let (metrics, headers) = (Arc::clone(&self.metrics), parts.headers.clone());
                let answer = tokio::task::spawn_blocking(move || metrics.answer(&headers));
                answer.await.unwrap_or(Err(Problem::Host))
            }
            Route::Broker(command) => broker::answer(&self.surfaces, command),
            Route::Flows => json(&flows::all(&self.surfaces, &self.ledger)),
            Route::Flow(name) => json(&flows::one(&self.surfaces, &self.ledger, name)?),
            Route::Command { flow, command } => flows::command(&self.surfaces, &self.ledger, flow, command).await,
            Route::PutFlows => {
                let text = flows::text(&parts.headers, body).await?;
                flows::applied(Arc::clone(&self.reconfigure).replace(text)).await
            }
            Route::PutFlow(name) => {
                let flow = flows::read(&parts.headers, &flows::text(&parts.headers, body).await?)?;
                flows::applied(Arc::clone(&self.reconfigure).put_flow(name, flow)).await
            }
            Route::Workers => workers::all(&self.surfaces).await,
            Route::DrainWorker { pool, worker } => workers::drain(&self.surfaces, &pool, &worker).await,
            Route::Tail => self.tails.answer(&parts.method, head.query(), &self.routes, &self.ledger),
            Route::Drain => {
                self.drain.notify_one();
                let mut response = with_type("draining\n", TEXT);
                *response.status_mut() = StatusCode::ACCEPTED;
                Ok(response)
            }
            Route::List => json(&self.slots.all().iter().map(|slot| slot.status()).collect::<Vec<_>>()),
            Route::Show(slot) => json(&slot.status()),
            Route::Put { name, put, permit } => {
                let bound = usize::try_from(self.slots.component_bytes_max(&name)).unwrap_or(usize::MAX);
                let bytes = body::read(&parts.headers, body, ("component_bytes_max", bound), BODY_TIMEOUT).await?;
                self.put(name, bytes, put, permit).await
            }
            Route::Unload(name) => self.unload(name).await,
            Route::Rollback { slot, wanted, persist } => plugins::roll_back(&slot, wanted, persist).await,
            Route::Load { slot, cause } => self.load(slot, cause).await,
            Route::Hold(slot) => plugins::hold(&slot),
            Route::Resume(slot) => plugins::resume(&slot),
            Route::AddExamples { slot, name } => self.add_examples(slot, name, head, body).await,
            Route::Call(slot) => self.call(&slot, head, body).await,
            Route::TrySteps(name) => self.call_route(name, head, body).await,
            Route::TryFlow(name) => self.call_flow(name, head, body).await,
        }
    }
}

fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "writing an answer");
        Problem::Host
    })?;
    Ok(with_type(body, JSON))
}
