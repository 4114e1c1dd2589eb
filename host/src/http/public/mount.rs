//! Where a handler of wasi:http is mounted: `/NAME/` and everything below it is its own.
//!
//! It sees the path below its mount, so that one which was written for the root of a host works as it is; where it is
//! mounted, and by whom it is called, it can read from headers. (Spin hands the whole path to its components, and the
//! rest in `spin-path-info`.)

use super::{Public, stamped};
use crate::http::problem::Problem;
use crate::http::route::FoundRoute;
use crate::http::server::body::InFlight;
use crate::http::server::head::Head;
use crate::plugin::handler_fields::{self, AtMount};
use crate::plugin::{Answer, HttpHandler, ResponseBody, Slot};
use bytes::{Buf, Bytes};
use futures_util::Stream;
use std::sync::Arc;
use warp::Reply;
use warp::http::header::AUTHORIZATION;
use warp::http::response::Parts;
use warp::http::uri::Authority;
use warp::http::{HeaderMap, HeaderValue, Request, Uri};
use warp::reply::Response;

impl Public {
    /// Any request for a handler: `path` is what stands below its mount, which has the name of its route.
    ///
    /// # Errors
    /// When the body does not come whole, there is no room for it, or the call fails before its response begins.
    pub(super) async fn handler<B: Buf>(
        &self,
        route: &FoundRoute,
        slot: &Arc<Slot>,
        path: &str,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<Response, Problem> {
        let body = self.body(slot.room(), head, body).await?;
        let mut request = self.request(route.name(), path, head, body)?;
        let room = self.room(slot.room(), slot.output_bytes_max())?;
        let span = slot.span_of_call::<HttpHandler>(&head.id, &head.span);
        // What the handler asks of others is below its call.
        if let Some(traceparent) = span.context().traceparent().and_then(|text| HeaderValue::try_from(text).ok()) {
            request.headers_mut().insert("traceparent", traceparent);
        }
        let (call, number) = self.handler_hop.enter_numbered();
        let called = slot.handle(request, head.id.clone(), (call.of_client(), number), room, span);
        let Answer { by, result } = called.await;
        let response = match result {
            Ok(response) => Ok(self.response(route, head, response).await),
            Err(error) => Err(Problem::from(error)),
        };
        Ok(stamped(&by.into_iter().collect(), response))
    }

    /// The request as the handler sees it.
    fn request(&self, name: &str, path: &str, head: &Head, body: InFlight) -> Result<Request<Bytes>, Problem> {
        let path = if path.is_empty() { "/" } else { path };
        let question_mark = if head.query().is_empty() { "" } else { "?" };
        let authority = head.authority.clone().unwrap_or_else(|| Authority::from_static("localhost"));
        let target = format!("{path}{question_mark}{}", head.query());
        let headers = self.headers(name, path, &target, head);
        let uri = Uri::builder()
            .scheme(self.scheme())
            .authority(authority)
            .path_and_query(target)
            .build()
            .map_err(|error| Problem::Malformed(format!("the path of the request: {error}")))?;
        let mut request = Request::new(body.held.keep(body.bytes));
        *request.method_mut() = head.parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// The request's headers, with what only the host may say in place of what the client said.
    fn headers(&self, name: &str, path: &str, target: &str, head: &Head) -> HeaderMap {
        let mut headers = head.parts.headers.clone();
        if self.has_token {
            // It opens this surface: no plugin needs to know it.
            headers.remove(AUTHORIZATION);
        }
        let trusted = self.trusts(head);
        let (scheme, authority, from) = (self.scheme(), head.authority.as_ref(), head.from);
        let request = AtMount { name, path, target, scheme, authority, from, trusted, request_id: &head.id };
        handler_fields::for_handler(&mut headers, &request);
        headers
    }

    /// Whether a request comes from a gateway whose word is passed on.
    pub(super) fn trusts(&self, head: &Head) -> bool {
        self.trusted_gateways.iter().any(|gateway| gateway.contains(head.from.ip()))
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }

    /// The handler's response. Only one that is whole is compressed: what is sent piece by piece goes on as it comes.
    async fn response(&self, route: &FoundRoute, head: &Head, (mut parts, body): (Parts, ResponseBody)) -> Response {
        handler_fields::for_client(&mut parts.headers);
        let mut response = match body {
            ResponseBody::Whole(body) => {
                let body = self.compressed(route, head, (parts.status, &mut parts.headers), body).await;
                Response::new(body.into())
            }
            ResponseBody::Streamed(pieces) => warp::reply::stream(pieces).into_response(),
        };
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        response
    }
}
