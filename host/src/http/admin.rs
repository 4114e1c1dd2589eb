//! The admin surface: whether the host lives and is ready, what it counts, and its plugins to look at, swap, roll back,
//! try and unload; its flows to look at, pause and change.
//!
//! `openapi.json` beside this file describes it; a test holds the two against each other.

mod accept;
mod broker;
mod call;
mod dead_letters;
mod flows;
mod guard;
mod ledger;
mod metrics;
mod query;
mod readiness;
mod route;

pub use dead_letters::LetterParts;
pub use flows::{Applied, Reconfigure};
pub use guard::Guard;
pub use metrics::{Counts, Observed};
pub use readiness::{Check, Readiness};

use self::dead_letters::Letters;
use self::metrics::Metrics;
use self::route::Route;
use super::answer::with_type;
use super::problem::{Problem, RefusedComponent};
use super::server::body::{self, InFlight, InFlightBudget};
use super::server::head::Head;
use super::server::middleware::Routes;
use crate::config::{ADMIN_BODY_MS_MAX, ADMIN_CALL_BYTES_MAX, ADMIN_CALLS_BYTES_MAX, ADMIN_UPLOADS_MAX};
use crate::flow::{ServedBy, Surfaces};
use crate::ledger::{Ledger, Report, Snapshots};
use crate::plugin::{CallNumber, Cause, LoadError, Loaded, PutError, RollbackError, Slot, Slots, UnloadError};
use bytes::Buf;
use futures_util::Stream;
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
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
    metrics: Arc<Metrics>,
    surfaces: Surfaces,
    drain: Arc<Notify>,
    reconfigure: Arc<dyn Reconfigure>,
    uploads: Arc<Semaphore>,
    calls: AtomicU64,
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
    /// What has other sockets, flows and routes run.
    pub reconfigure: Arc<dyn Reconfigure>,
}

/// What serves after a swap, or after there was nothing to swap.
#[derive(Serialize)]
struct Swap<'a> {
    plugin: &'a str,
    generation: u64,
    digest: &'a str,
    changed: bool,
    persisted: bool,
}

impl Admin {
    /// A surface that serves nothing yet.
    pub fn new(parts: AdminParts) -> Self {
        let AdminParts { slots, guard, draining, checks, observed, drain, letters, reconfigure } = parts;
        let (ledger, surfaces) = (observed.ledger.clone(), observed.surfaces.clone());
        let readiness = Arc::new(Readiness::new(draining, Arc::clone(&slots), surfaces.clone(), checks));
        Self {
            metrics: Arc::new(Metrics::new(Arc::clone(&slots), observed)),
            letters: Arc::new(Letters::new(letters, Arc::clone(&slots))),
            snapshots: Snapshots::default(),
            slots,
            guard,
            readiness,
            ledger,
            surfaces,
            drain,
            reconfigure,
            uploads: Arc::new(Semaphore::new(ADMIN_UPLOADS_MAX)),
            calls: AtomicU64::new(1),
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
        let Head { parts, id, .. } = head;
        match route {
            Route::Live => Ok(with_type("live\n", TEXT)),
            Route::Ready => Ok(self.readiness.answer(&parts.headers)),
            Route::OpenApi => Ok(with_type(OPENAPI, JSON)),
            Route::Ledger => {
                ledger::answer(&self.snapshots, Report::new(&self.ledger, self.slots.counts()), head.query())
            }
            Route::Letters => self.letters.list(head.query()).await,
            Route::Letter(id) => self.letters.show(id).await,
            Route::Replay(id) => {
                // To the end even if the caller goes away meanwhile: the letter gets its mark.
                let (letters, query) = (Arc::clone(&self.letters), head.query().to_owned());
                let replay = tokio::spawn(async move { letters.replay(id, &query).await });
                replay.await.unwrap_or(Err(Problem::Host))
            }
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
            Route::Drain => {
                self.drain.notify_one();
                let mut response = with_type("draining\n", TEXT);
                *response.status_mut() = StatusCode::ACCEPTED;
                Ok(response)
            }
            Route::List => json(&self.slots.all().iter().map(|slot| slot.status()).collect::<Vec<_>>()),
            Route::Show(slot) => json(&slot.status()),
            Route::Put { name, persist, permit } => {
                let bound = usize::try_from(self.slots.component_bytes_max(&name)).unwrap_or(usize::MAX);
                let bytes = body::read(&parts.headers, body, ("component_bytes_max", bound), BODY_TIMEOUT).await?;
                self.put(name, bytes, persist, permit).await
            }
            Route::Unload(name) => match self.slots.unload(&name).await {
                Ok(gone) => json(&gone),
                Err(UnloadError::Unknown) => Err(Problem::NoPlugin(name)),
                Err(error @ UnloadError::Policy) => Err(Problem::NotUnloaded(format!("{name} stays: {error}"))),
            },
            Route::Rollback { slot, wanted, persist } => {
                let served_by = slot.rollback(wanted, persist).await.map_err(not_rolled_back)?;
                swap(&served_by, true, persist || slot.is_in_source(&served_by.digest))
            }
            Route::Load(slot) => self.load(slot).await,
            Route::Call(slot) => {
                let bound = ("the bound of a call,", ADMIN_CALL_BYTES_MAX);
                let InFlight { bytes, held: _held } =
                    body::read_within((&self.in_flight, None), &parts.headers, body, bound, BODY_TIMEOUT).await?;
                let _room = self.in_flight.reserve(None, slot.output_bytes_max())?;
                let number = self.calls.fetch_add(1, Ordering::Relaxed);
                call::answer(&slot, &bytes, id.clone(), CallNumber::Trial(number)).await
            }
        }
    }

    /// Loads what was sent, to the end even if the caller goes away meanwhile.
    async fn put(
        &self,
        name: String,
        bytes: Vec<u8>,
        persist: bool,
        permit: OwnedSemaphorePermit,
    ) -> Result<Response, Problem> {
        let slots = Arc::clone(&self.slots);
        let plugin = name.clone();
        let work = tokio::spawn(async move {
            let _permit = permit;
            slots.put(&name, bytes, persist).await
        });
        match work.await.map_err(|_| Problem::Host)? {
            Ok(Loaded { served_by, changed, .. }) => swap(&served_by, changed, persist),
            Err(PutError::Name(text)) => Err(Problem::Malformed(text)),
            Err(PutError::Load(error)) => Err(refused(plugin, &error)),
            Err(PutError::Persist(text)) => Err(Problem::NotPersisted(text)),
        }
    }

    /// Loads the source, to the end even if the caller goes away meanwhile.
    async fn load(&self, slot: Arc<Slot>) -> Result<Response, Problem> {
        let slots = Arc::clone(&self.slots);
        let plugin = slot.name().to_owned();
        let work = tokio::spawn(async move { slots.load(&slot, Cause::Asked).await });
        match work.await.map_err(|_| Problem::Host)? {
            Ok(Some(Loaded { served_by, changed, .. })) => swap(&served_by, changed, true),
            // Only what nobody asked for is left alone.
            Ok(None) => Err(Problem::Host),
            Err(error) => Err(refused(plugin, &error)),
        }
    }
}

fn not_rolled_back(error: RollbackError) -> Problem {
    match error {
        RollbackError::NotPersisted(_) => Problem::NotPersisted(error.to_string()),
        _ => Problem::NotRolledBack(error.to_string()),
    }
}

fn refused(plugin: String, error: &LoadError) -> Problem {
    match error {
        LoadError::Superseded => Problem::Superseded(format!("{plugin} is not loaded: {error}")),
        LoadError::Busy { .. } => Problem::TooBusy(format!("{plugin} is not loaded: {error}")),
        _ => Problem::Refused(RefusedComponent { plugin, stage: error.stage(), reason: error.to_string() }),
    }
}

/// `persisted`: whether the next start loads again what serves.
fn swap(served_by: &ServedBy, changed: bool, persisted: bool) -> Result<Response, Problem> {
    let ServedBy { plugin, generation, digest, .. } = served_by;
    json(&Swap { plugin, generation: *generation, digest, changed, persisted })
}

fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "writing an answer");
        Problem::Host
    })?;
    Ok(with_type(body, JSON))
}
