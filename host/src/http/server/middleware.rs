//! The way in: what every request of a surface meets before its route, and every answer after it.

use super::answer_body::AnswerBody;
use super::connection_timeouts::{ConnectionTimeouts, RequestActivity};
use super::framing;
use super::head::Head;
use super::overload::OverloadDetector;
use super::refusals::HeadRefusals;
use super::request_body::RequestBody;
use super::statistics::{OpenRequest, ServerStatistics};
use super::token::Token;
use super::trace::Trace;
use crate::flow::ServedBy;
use crate::http::problem::{OverBytes, Problem};
use crate::ledger::Hop;
use crate::request_id::RequestIds;
use hyper::body::Incoming;
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

/// What a surface serves.
pub type Routes = BoxedFilter<(warp::reply::Response,)>;

/// The way into one surface.
pub struct Middleware {
    /// What is behind it.
    pub routes: Routes,
    /// Names for the requests.
    pub request_ids: Arc<RequestIds>,
    /// The bound on path and query.
    pub uri_bytes_max: usize,
    /// Who is let in; without it everybody, as long as the system keeps up.
    pub admission: Option<Admission>,
}

/// Who is let into the public surface.
#[derive(Clone)]
pub struct Admission {
    hop: Arc<Hop>,
    overload: Arc<OverloadDetector>,
    places: Arc<Semaphore>,
    requests_max: usize,
    token: Option<Arc<Token>>,
}

impl Admission {
    /// An admission that counts at `hop`, lets `requests_max` in at a time, and of those only who shows the `token`, if there
    /// is one.
    pub fn new(hop: Arc<Hop>, overload: Arc<OverloadDetector>, requests_max: usize, token: Option<Token>) -> Self {
        Self { hop, overload, places: Arc::new(Semaphore::new(requests_max)), requests_max, token: token.map(Arc::new) }
    }

    /// The place that a request has until its answer is taken. What costs least is asked first: a flood must not pay.
    fn admit(&self, head: &Parts, figures: &ServerStatistics) -> Result<OwnedSemaphorePermit, Problem> {
        if self.overload.sheds(head.uri.path(), Instant::now()) {
            figures.requests_shed.fetch_add(1, Ordering::Relaxed);
            return Err(Problem::Overloaded);
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            figures.requests_over_max.fetch_add(1, Ordering::Relaxed);
            Problem::TooManyRequests(self.requests_max)
        })?;
        match &self.token {
            Some(token) if !token.is_shown(&head.headers) => Err(Problem::NoToken),
            _ => Ok(place),
        }
    }
}

impl Middleware {
    /// The way in for the requests of one connection.
    pub(super) fn door(self: &Arc<Self>, line: ClientConnection) -> ConnectionService {
        ConnectionService { middleware: Arc::clone(self), line: Arc::new(line) }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        activity: RequestActivity,
        line: &ClientConnection,
    ) -> Response<AnswerBody<RouteBody>> {
        let figures = &line.figures;
        let open = OpenRequest::new(figures);
        let passage = self.admission.as_ref().map(|admission| admission.hop.enter().of_client());
        let (parts, body) = request.into_parts();
        let trace = Trace::of(&parts.headers);
        let id = self.request_ids.next(trace.as_ref().map(Trace::id));
        let own_name = HeaderValue::from_str(&id);
        // The query stays out of the log: it is the message.
        let logged = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| (Instant::now(), id.clone(), parts.method.clone(), parts.uri.path().to_owned()));
        let waits = parts.headers.contains_key(EXPECT);
        let (body, rest) = RequestBody::new(body);

        let (mut response, place) = match self.admit(&parts, line) {
            Ok((place, authority)) => {
                let mut request = Request::new(body);
                // Whole, and once: what a route needs of it, it reads there.
                request.extensions_mut().insert(Arc::new(Head { parts, id, trace, authority, from: line.from }));
                let routes = TowerToHyperService::new(warp::service(self.routes.clone()));
                (routes.call(request).await.unwrap_or_else(|never| match never {}), place)
            }
            Err(problem) => {
                drop(body);
                (problem.into_response(), None)
            }
        };

        let headers = response.headers_mut();
        // HTTP/2 ends a stream without its connection.
        if line.timeouts.is_http1() && !rest.take_in(waits).await {
            line.timeouts.set_unread();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(id) = own_name {
            headers.insert(TIDEGATE_REQUEST, id);
        }
        let status = response.status().as_u16();
        figures.count_answer(status);
        if response.extensions().get::<OverBytes>().is_some() {
            figures.requests_over_bytes.fetch_add(1, Ordering::Relaxed);
        }
        if let Some((began, request_id, method, route)) = logged {
            let by = response.extensions().get::<Arc<ServedBy>>();
            let (plugin, generation) = (by.map(|by| &by.plugin), by.map(|by| by.generation));
            let duration_ms = began.elapsed().as_micros() as f64 / 1e3;
            tracing::debug!(request_id, %method, ?route, status, plugin, generation, duration_ms, "answered");
        }
        if let Some(passage) = passage {
            passage.out();
        }
        response.map(|body| AnswerBody::new(body, activity, open, place))
    }

    /// The place of a request, and whom it is for.
    fn admit(
        &self,
        head: &Parts,
        line: &ClientConnection,
    ) -> Result<(Option<OwnedSemaphorePermit>, Option<Authority>), Problem> {
        let place = self.admission.as_ref().map(|admission| admission.admit(head, &line.figures)).transpose()?;
        // hyper counts those of HTTP/1.
        if head.headers.len() > line.refusals.headers_max {
            return Err(line.refusals.head_too_large());
        }
        let authority = framing::check(head)?;
        match uri_bytes(&head.uri) > self.uri_bytes_max {
            true => Err(Problem::UriTooLong(self.uri_bytes_max)),
            false => Ok((place, authority)),
        }
    }
}

fn uri_bytes(uri: &Uri) -> usize {
    uri.path_and_query().map_or(0, |path_and_query| path_and_query.as_str().len())
}

/// One connection, as its requests know it.
pub(super) struct ClientConnection {
    pub(super) timeouts: Arc<ConnectionTimeouts>,
    pub(super) figures: Arc<ServerStatistics>,
    pub(super) refusals: Arc<HeadRefusals>,
    pub(super) from: SocketAddr,
}

/// The middleware as one connection sees it.
pub(super) struct ConnectionService {
    middleware: Arc<Middleware>,
    line: Arc<ClientConnection>,
}

impl Service<Request<Incoming>> for ConnectionService {
    type Response = Response<AnswerBody<RouteBody>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let activity = self.line.timeouts.begin();
        let (middleware, line) = (Arc::clone(&self.middleware), Arc::clone(&self.line));
        Box::pin(async move { Ok(middleware.answer(request, activity, &line).await) })
    }
}
