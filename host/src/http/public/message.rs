//! The message that a request is for its plugins.

use super::Public;
use crate::byte_budget::{BudgetShare, Held};
use crate::flow::{Message, Metadata};
use crate::http::coding::{self, Coding};
use crate::http::problem::Problem;
use crate::http::query::{self, Pairs};
use crate::http::route::FoundRoute;
use crate::http::server::body::InFlight;
use crate::http::server::head::Head;
use crate::plugin::handler_fields::{is_of_connection, passes};
use bytes::Buf;
use futures_util::Stream;
use smallvec::smallvec;
use std::net::SocketAddr;
use warp::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use warp::http::{HeaderName, HeaderValue, Method};

impl Public {
    /// The message that a request stands for: of a GET its parameter, of a POST and the like its body.
    ///
    /// # Errors
    /// When the request is not of this shape, or its body does not come whole or has no room.
    pub(super) async fn message<B: Buf>(
        &self,
        route: &FoundRoute,
        head: &Head,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Result<(Message, Option<Held>), Problem> {
        let mut pairs = query::pairs(head.query()).map_err(Problem::Malformed)?;
        let speaks_http = route.first().speaks_http();
        let (body, held) = if has_body(&head.parts.method) {
            let coding = if route.options().decompress { Coding::of_request(&head.parts.headers)? } else { None };
            let share = route.first().share();
            let body = self.body(share, head, body).await?;
            let InFlight { bytes, held } = match coding {
                Some(coding) => Box::pin(self.decoded(share, coding, body)).await?,
                None => body,
            };
            (bytes, Some(held))
        } else {
            let may_lack = route.is_configured() && speaks_http;
            (parameter(&mut pairs, may_lack)?, None)
        };

        // Beside the pairs of the query there are three at most, and four more for those that know them.
        let mut metadata = Metadata::with_capacity(7 + route.options().headers.len() + pairs.len());
        metadata.push(("tidegate.request-id".to_owned(), head.id.clone()));
        if let Some(trace) = &head.trace {
            metadata.push(("tidegate.traceparent".to_owned(), trace.as_str().to_owned()));
        }
        let headers = &head.parts.headers;
        let content_type = headers.get(CONTENT_TYPE);
        if let Some(content_type) = content_type.filter(|_| !is_of_connection(headers, &CONTENT_TYPE)) {
            metadata.push(("http.content-type".to_owned(), text(&CONTENT_TYPE, content_type)?));
        }
        if speaks_http {
            let peer = SocketAddr::new(head.from.ip().to_canonical(), head.from.port());
            metadata.push(("tidegate.peer".to_owned(), peer.to_string()));
            metadata.push(("http.method".to_owned(), head.parts.method.as_str().to_owned()));
            metadata.push(("http.path".to_owned(), head.path().to_owned()));
            if route.has_host_stage() {
                metadata.push(("http.url".to_owned(), self.url(head)));
            }
            self.add_headers(route, head, &mut metadata)?;
        }
        metadata.extend(pairs.into_iter().map(|(name, value)| (format!("query.{name}"), value.into_owned())));
        Ok((Message { metadata, frames: smallvec![body.into()], trace: head.span.clone(), ..Message::default() }, held))
    }

    /// The address of a request as its client has it, for workers that were written for another server.
    fn url(&self, head: &Head) -> String {
        let authority = head.authority.as_ref().map_or("localhost", |authority| authority.as_str());
        let question_mark = if head.query().is_empty() { "" } else { "?" };
        format!("{}://{authority}{}{question_mark}{}", self.scheme(), head.path(), head.query())
    }

    /// Adds the headers that the route lists, as far as the client may say them.
    fn add_headers(&self, route: &FoundRoute, head: &Head, metadata: &mut Metadata) -> Result<(), Problem> {
        let headers = &head.parts.headers;
        let trusted = self.trusts(head);
        for name in &route.options().headers {
            // The token opens this surface: no plugin needs to know it.
            let is_token = self.has_token && name == AUTHORIZATION;
            // The body has none any more.
            let is_undone = route.options().decompress && (name == CONTENT_ENCODING || name == CONTENT_LENGTH);
            if is_token || is_undone || !passes(headers, name, trusted) {
                continue;
            }
            for value in headers.get_all(name) {
                metadata.push((format!("http.header.{name}"), text(name, value)?));
            }
        }
        Ok(())
    }

    /// A body without its coding, which is bounded as any body is.
    async fn decoded(&self, share: &BudgetShare, coding: Coding, body: InFlight) -> Result<InFlight, Problem> {
        let mut held = self.room(share, 0)?;
        let make_room = |bytes| if held.grow(bytes) { Ok(()) } else { Err(self.in_flight.no_room()) };
        let bound = ("body_bytes_max", self.body_bytes_max);
        let bytes = coding::decode(coding, &body.bytes, bound, make_room).await?;
        held.settle(bytes.len());
        Ok(InFlight { bytes, held })
    }
}

fn text(name: &HeaderName, value: &HeaderValue) -> Result<String, Problem> {
    let text = value.to_str().map(str::to_owned);
    text.map_err(|_| Problem::Malformed(format!("the {name} of the request is not plain ASCII")))
}

fn has_body(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method)
}

/// Takes the one parameter out of a query's pairs.
fn parameter(pairs: &mut Pairs<'_>, may_lack: bool) -> Result<Vec<u8>, Problem> {
    let mut parameters = pairs.extract_if(.., |(name, _)| name == "param" || name == "Param");
    let malformed = |detail: &str| Err(Problem::Malformed(detail.to_owned()));
    match (parameters.next(), parameters.next()) {
        (Some((_, value)), None) => Ok(value.into_owned().into_bytes()),
        (Some(_), Some(_)) => malformed("the query has more than one param; send one"),
        (None, _) if may_lack => Ok(Vec::new()),
        (None, _) => malformed("the query has no param; send ?param=TEXT, or a body with POST"),
    }
}
