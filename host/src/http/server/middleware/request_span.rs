//! The span of a request, as the semantic conventions of OpenTelemetry for HTTP servers describe it.

use super::ClientConnection;
use crate::http::server::head::RouteName;
use crate::http::server::trace::Trace;
use crate::traces::{Kind, Recording, Span, Tracer};
use warp::http::request::Parts;
use warp::http::{Method, Response, Version};

/// How it is called where its method is none of those that everybody knows: a stranger must not make names.
const OTHER: &str = "HTTP";

/// Begins the span of a request with this head and id.
pub(super) fn begin(tracer: &Tracer, head: &Parts, id: &str, trace: Option<&Trace>, client: &ClientConnection) -> Span {
    let method = known(&head.method);
    let mut span = tracer.start(Kind::Server, method.unwrap_or(OTHER), trace.map(Trace::as_str));
    if let Some(span) = span.recording() {
        describe(span, head, id, client);
        span.of_client();
    }
    span
}

fn describe(span: &mut Recording, head: &Parts, id: &str, client: &ClientConnection) {
    match known(&head.method) {
        Some(method) => span.set("http.request.method", method),
        None => {
            span.set("http.request.method", "_OTHER");
            span.set("http.request.method_original", head.method.as_str().to_owned());
        }
    }
    // The query stays out of it: it is the message.
    span.set("url.path", head.uri.path().to_owned());
    span.set("url.scheme", if client.is_https { "https" } else { "http" });
    let version = match head.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    span.set("network.protocol.version", version);
    span.set("network.peer.address", client.from.ip().to_string());
    span.set("network.peer.port", i64::from(client.from.port()));
    span.set("tidegate.request.id", id.to_owned());
}

/// Describes the answer. The span goes on until the client has taken it.
pub(super) fn answered<B>(span: &mut Span, method: &Method, response: &Response<B>) {
    let status = response.status();
    if let Some(span) = span.recording() {
        span.set("http.response.status_code", i64::from(status.as_u16()));
        if let Some(RouteName(route)) = response.extensions().get() {
            span.set("http.route", route.clone());
            span.rename(format!("{} {route}", known(method).unwrap_or(OTHER)));
        }
    }
    match status.is_server_error() {
        true => span.fail(status.as_str().to_owned(), ""),
        false => span.settle(),
    }
}

fn known(method: &Method) -> Option<&'static str> {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| method == known)
}
