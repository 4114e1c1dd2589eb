//! Middleware: what every request of a surface meets before its route, and every answer after it.

mod cors;
mod request_span;
mod upgrade;

pub use cors::{CorsLookup, CorsPolicy};
pub(super) use upgrade::OfListener;
pub(crate) use upgrade::{HeldConnection, Upgrade, Upgrades};

use super::answer_body::AnswerBody;
use super::connection_timeouts::{ConnectionTimeouts, RequestActivity};
use super::framing;
use super::head::Head;
use super::overload::OverloadDetector;
use super::refusals::HeadRefusals;
use super::request_body::RequestBody;
use super::statistics::{OpenConnection, OpenRequest, ServerStatistics};
use super::token::{self, Token};
use super::trace::Trace;
use crate::flow::ServedBy;
use crate::http::problem::{OverBytes, Problem};
use crate::ledger::Hop;
use crate::request_id::RequestIds;
use crate::traces::{Span, Tracer};
use cors::CrossOrigin;
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use warp::filters::BoxedFilter;
use warp::http::header::{CONNECTION, EXPECT, HeaderName, X_CONTENT_TYPE_OPTIONS};
use warp::http::request::Parts;
use warp::http::uri::Authority;
use warp::http::{HeaderValue, Request, Response, Uri};

const TIDEGATE_REQUEST: HeaderName = HeaderName::from_static("tidegate-request");

/// The body of an answer; warp's type has no name of its own.
type RouteBody = <warp::reply::Response as HasBody>::Body;

pub(super) trait HasBody {
    type Body;
}

impl<B> HasBody for Response<B> {
    type Body = B;
}

/// Marks an answer that goes on for as long as its client likes, and has a permit of its own for that: the request gives
/// its own back.
#[derive(Clone)]
pub(crate) struct HasOwnPermit;

/// Which requests may have the token in their query.
pub type HasTokenInQuery = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

/// What a surface serves.
pub type Routes = BoxedFilter<(warp::reply::Response,)>;

/// What stands before the routes of one surface.
pub struct Middleware {
    /// What answers an admitted request.
    pub routes: Routes,
    /// Names for the requests.
    pub request_ids: Arc<RequestIds>,
    /// The bound on path and query.
    pub uri_bytes_max: usize,
    /// Who is let in; without it everybody, as long as the system keeps up.
    pub admission: Option<Admission>,
    /// Which pages of other origins may read what; without it none.
    pub cors: Option<CorsLookup>,
    /// What takes connections that are to be WebSockets; without it none are.
    pub(crate) upgrades: Option<Arc<dyn Upgrades>>,
    /// Begins a span for each request.
    pub tracer: Tracer,
}

/// Who is let into the public surface.
#[derive(Clone)]
pub struct Admission {
    hop: Arc<Hop>,
    overload: Arc<OverloadDetector>,
    permits: Arc<Semaphore>,
    requests_max: usize,
    token: Option<Arc<Token>>,
    has_token_in_query: Option<HasTokenInQuery>,
}

impl Admission {
    /// An admission that counts at `hop`, lets `requests_max` in at a time, and of those only who shows the `token`, if
    /// there is one.
    pub fn new(hop: Arc<Hop>, overload: Arc<OverloadDetector>, requests_max: usize, token: Option<Token>) -> Self {
        Self {
            hop,
            overload,
            permits: Arc::new(Semaphore::new(requests_max)),
            requests_max,
            token: token.map(Arc::new),
            has_token_in_query: None,
        }
    }

    /// Of these requests the token may stand in the query, as `token`: whoever sends them may be able to set no header.
    pub fn with_token_in_query(self, requests: HasTokenInQuery) -> Self {
        Self { has_token_in_query: Some(requests), ..self }
    }

    /// Takes the token out of the query, where it may stand there, before anything can write it down.
    fn take_token(&self, head: &mut Parts) -> Option<String> {
        let may_have = self.has_token_in_query.as_ref()?;
        if may_have(head) { token::take_from_query(&mut head.uri) } else { None }
    }

    /// The permit that a request holds until its answer is taken. What costs least is asked first: a flood must not
    /// pay.
    fn admit(
        &self,
        head: &Parts,
        query_token: Option<&str>,
        statistics: &ServerStatistics,
        needs_token: bool,
    ) -> Result<OwnedSemaphorePermit, Problem> {
        if self.overload.sheds(head.uri.path(), Instant::now()) {
            statistics.requests_shed.fetch_add(1, Ordering::Relaxed);
            return Err(Problem::Overloaded);
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            statistics.requests_over_max.fetch_add(1, Ordering::Relaxed);
            Problem::TooManyRequests(self.requests_max)
        })?;
        match &self.token {
            Some(token) if needs_token && !token.is_shown(&head.headers, query_token) => Err(Problem::NoToken),
            _ => Ok(permit),
        }
    }
}

impl Middleware {
    /// The service that answers the requests of one connection.
    pub(super) fn service_for(self: &Arc<Self>, client: ClientConnection) -> ConnectionService {
        ConnectionService { middleware: Arc::clone(self), client: Arc::new(client) }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        mut activity: RequestActivity,
        client: &Arc<ClientConnection>,
    ) -> Response<AnswerBody<RouteBody>> {
        let statistics = &client.statistics;
        let open = OpenRequest::new(statistics);
        let passage = self.admission.as_ref().map(|admission| admission.hop.enter().of_client());
        let (mut parts, body) = request.into_parts();
        let query_token = self.admission.as_ref().and_then(|admission| admission.take_token(&mut parts));
        let trace = Trace::of(&parts.headers);
        let id = self.request_ids.next(trace.as_ref().map(Trace::id));
        let own_name = HeaderValue::from_str(&id);
        // The query stays out of the log: it is the message.
        let logged = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| (Instant::now(), id.clone(), parts.method.clone(), parts.uri.path().to_owned()));
        let waits = parts.headers.contains_key(EXPECT);
        let (body, rest) = RequestBody::new(body);

        let policy = self.cors.as_ref().and_then(|cors| cors(parts.uri.path()));
        let cross_origin = policy.map(|policy| CrossOrigin::new(policy, &parts));
        let preflight = cross_origin.as_ref().filter(|cross_origin| cross_origin.is_preflight());

        let admitted = self.admit(&parts, query_token.as_deref(), client, preflight.is_none());
        let mut span = match &admitted {
            // Whoever has too much to do writes nothing down of each that is turned away.
            Err(Problem::Overloaded | Problem::TooManyRequests(_)) => Span::default(),
            _ => request_span::begin(&self.tracer, &parts, &id, trace.as_ref(), client),
        };
        let method = span.recording().map(|_| parts.method.clone());
        let (mut response, permit) = match admitted {
            Ok((permit, _)) if let Some(preflight) = preflight => {
                drop(body);
                (preflight.answer(), permit)
            }
            Ok((permit, authority)) => {
                let upgrades = self.upgrades.as_ref().filter(|upgrades| upgrades.takes(&parts));
                // Only a connection whose request is whole can become something else.
                let upgrade = upgrades.filter(|_| body.is_end_stream()).and_then(|_| Upgrade::of(&mut parts, client));
                // The head goes in whole, and once: a route reads there what it needs of it.
                let head = Head { parts, id, trace, span: span.context(), authority, from: client.from };
                let response = match upgrades {
                    Some(upgrades) => {
                        drop(body);
                        upgrades.answer(&head, upgrade).unwrap_or_else(Problem::into_response)
                    }
                    None => {
                        let mut request = Request::new(body);
                        request.extensions_mut().insert(Arc::new(head));
                        let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
                        routes.call(request).await.unwrap_or_else(|never| match never {})
                    }
                };
                (response, permit)
            }
            Err(problem) => {
                drop(body);
                (problem.into_response(), None)
            }
        };

        let headers = response.headers_mut();
        if let Some(cross_origin) = cross_origin {
            cross_origin.complete(headers);
        }
        // HTTP/2 ends a stream without its connection.
        if client.timeouts.is_http1() && !rest.take_in(waits).await {
            client.timeouts.set_unread();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(id) = own_name {
            headers.insert(TIDEGATE_REQUEST, id);
        }
        let status = response.status().as_u16();
        statistics.count_answer(status);
        if response.extensions().get::<OverBytes>().is_some() {
            statistics.requests_over_bytes.fetch_add(1, Ordering::Relaxed);
        }
        if let Some((began, request_id, method, route)) = logged {
            let by = response.extensions().get::<Arc<ServedBy>>();
            let (plugin, generation) = (by.map(|by| &by.plugin), by.map(|by| by.generation));
            let duration_ms = began.elapsed().as_micros() as f64 / 1e3;
            tracing::debug!(request_id, %method, ?route, status, plugin, generation, duration_ms, "answered");
        }
        if let Some(method) = method {
            request_span::answered(&mut span, &method, &response);
        }
        if let Some(passage) = passage {
            passage.out();
        }
        let is_stream = response.extensions().get::<HasOwnPermit>().is_some();
        let permit = permit.filter(|_| !is_stream);
        if is_stream {
            activity.set_stream();
        }
        response.map(|body| AnswerBody::new(body, activity, open, permit, span))
    }

    /// The permit of a request, and whom it is for.
    fn admit(
        &self,
        head: &Parts,
        query_token: Option<&str>,
        client: &ClientConnection,
        needs_token: bool,
    ) -> Result<(Option<OwnedSemaphorePermit>, Option<Authority>), Problem> {
        let admission = self.admission.as_ref();
        let admit = |admission: &Admission| admission.admit(head, query_token, &client.statistics, needs_token);
        let permit = admission.map(admit).transpose()?;
        // hyper counts those of HTTP/1.
        if head.headers.len() > client.refusals.headers_max {
            return Err(client.refusals.head_too_large());
        }
        let authority = framing::check(head)?;
        match uri_bytes(&head.uri) > self.uri_bytes_max {
            true => Err(Problem::UriTooLong(self.uri_bytes_max)),
            false => Ok((permit, authority)),
        }
    }
}

fn uri_bytes(uri: &Uri) -> usize {
    uri.path_and_query().map_or(0, |path_and_query| path_and_query.as_str().len())
}

/// One connection, as its requests know it.
pub(super) struct ClientConnection {
    pub(super) timeouts: Arc<ConnectionTimeouts>,
    pub(super) statistics: Arc<ServerStatistics>,
    pub(super) refusals: Arc<HeadRefusals>,
    pub(super) from: SocketAddr,
    pub(super) is_https: bool,
    pub(super) listener: OfListener,
    pub(super) _open: OpenConnection,
}

/// The middleware as one connection sees it.
pub(super) struct ConnectionService {
    middleware: Arc<Middleware>,
    client: Arc<ClientConnection>,
}

impl Service<Request<Incoming>> for ConnectionService {
    type Response = Response<AnswerBody<RouteBody>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let activity = self.client.timeouts.begin();
        let (middleware, client) = (Arc::clone(&self.middleware), Arc::clone(&self.client));
        Box::pin(async move { Ok(middleware.answer(request, activity, &client).await) })
    }
}
