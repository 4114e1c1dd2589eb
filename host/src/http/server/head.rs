//! The head of a request: what came in apart from the body, and what the middleware made of it.

use super::trace::Trace;
use crate::traces::TraceContext;
use std::net::SocketAddr;
use warp::http::request::Parts;
use warp::http::uri::Authority;

/// One for each request, which all that deal with it share.
pub(crate) struct Head {
    pub(crate) parts: Parts,
    /// The id of the request.
    pub(crate) id: String,
    /// Of its caller.
    pub(crate) trace: Option<Trace>,
    /// Its span, if there is one.
    pub(crate) span: TraceContext,
    /// Whom it is for.
    pub(crate) authority: Option<Authority>,
    /// Where it comes from.
    pub(crate) from: SocketAddr,
}

impl Head {
    pub(crate) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// Empty if there is none.
    pub(crate) fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }
}

/// Marks an answer with the route that gave it, for the span of its request.
#[derive(Clone)]
pub(crate) struct RouteName(pub(crate) String);
