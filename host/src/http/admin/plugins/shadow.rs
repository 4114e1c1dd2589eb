//! Shadows, as the operator begins, promotes and ends them.

use super::{not_put, refused, swap};
use crate::http::admin::{Admin, BODY_TIMEOUT, json, query};
use crate::http::problem::Problem;
use crate::http::server::body;
use crate::http::server::head::Head;
use crate::plugin::Slot;
use crate::rehearsal::shadow::{Of, PromoteError, Promoted, ShadowError, ShadowStatus};
use bytes::Buf;
use futures_util::Stream;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use warp::http::StatusCode;
use warp::reply::Response;

impl Admin {
    /// Has the component of the body stand beside a plugin; without one, what serves under other settings. To the end even if
    /// the caller goes away meanwhile.
    pub(in crate::http::admin) async fn start_shadow<B: Buf>(
        &self,
        slot: Arc<Slot>,
        permit: OwnedSemaphorePermit,
        head: &Head,
        body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
    ) -> Result<Response, Problem> {
        let asked = query::shadow(head.query())?;
        let bound = usize::try_from(self.slots.component_bytes_max(slot.name())).unwrap_or(usize::MAX);
        let bytes = body::read(&head.parts.headers, body, ("component_bytes_max", bound), BODY_TIMEOUT).await?;
        if bytes.is_empty() == asked.set.is_empty() {
            let what =
                "a shadow is either the component of the body, or what serves under settings that the query has as set";
            return Err(Problem::Malformed(what.to_owned()));
        }
        let (shadows, plugin) = (self.shadows.clone(), slot.name().to_owned());
        let work = tokio::spawn(async move {
            let _permit = permit;
            shadows.start(slot, (!bytes.is_empty()).then_some(bytes), asked).await
        });
        let status = work.await.map_err(|_| Problem::Host)?.map_err(|error| match error {
            ShadowError::Asked(error) => Problem::Malformed(error.to_string()),
            ShadowError::Load(error) => refused(plugin, &error),
            error => Problem::NotShadowed(format!("{plugin} has no shadow: {error}")),
        })?;
        created(&status)
    }

    /// Has another chain of plugins stand beside that of a flow.
    pub(in crate::http::admin) fn start_chain(&self, flow: &str, query: &str) -> Result<Response, Problem> {
        let (through, asked) = query::chain(query)?;
        let status = self.shadows.start_chain(flow, through, &asked).map_err(|error| match error {
            ShadowError::Asked(error) => Problem::Malformed(error.to_string()),
            error => Problem::NotShadowed(format!("{} has no shadow: {error}", Of::Flow(flow).key())),
        })?;
        created(&status)
    }

    /// Has a shadow serve, to the end even if the caller goes away meanwhile.
    pub(in crate::http::admin) async fn promote_shadow(&self, of: ShadowOf, query: &str) -> Result<Response, Problem> {
        let (asked, persist) = query::promotion(query)?;
        let (shadows, name) = (self.shadows.clone(), of.clone());
        let work = tokio::spawn(async move { shadows.promote(name.borrowed(), &asked, persist).await });
        match work.await.map_err(|_| Problem::Host)? {
            Ok(Promoted::Plugin { served_by, changed, persisted }) => swap(&served_by, changed, persisted),
            Ok(Promoted::Flow { name, through }) => json(&serde_json::json!({"flow": name, "through": through})),
            Err(PromoteError::Asked(error)) => Err(Problem::Malformed(error.to_string())),
            Err(PromoteError::Put(error)) => Err(not_put(of.name().to_owned(), error)),
            Err(error) => {
                Err(Problem::NotPromoted(format!("the shadow beside {} does not serve: {error}", of.borrowed().key())))
            }
        }
    }
}

/// What a shadow stands beside.
#[derive(Clone)]
pub(in crate::http::admin) enum ShadowOf {
    Plugin(String),
    Flow(String),
}

impl ShadowOf {
    pub(in crate::http::admin) fn borrowed(&self) -> Of<'_> {
        match self {
            Self::Plugin(name) => Of::Plugin(name),
            Self::Flow(name) => Of::Flow(name),
        }
    }

    /// The answer that shows one.
    ///
    /// # Errors
    /// When there is none.
    pub(in crate::http::admin) fn found(&self, status: Option<ShadowStatus>) -> Result<Response, Problem> {
        json(&status.ok_or_else(|| Problem::NoShadow(self.borrowed().key()))?)
    }

    fn name(&self) -> &str {
        match self {
            Self::Plugin(name) | Self::Flow(name) => name,
        }
    }
}

fn created(status: &ShadowStatus) -> Result<Response, Problem> {
    let mut response = json(status)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}
