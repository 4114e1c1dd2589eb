//! Captures, as the operator begins and ends them.

use super::{BODY_TIMEOUT, json};
use crate::config::{ADMIN_CAPTURE_BYTES_MAX, REJECTED_TEXT_BYTES_MAX};
use crate::http::problem::Problem;
use crate::http::route::RouteTable;
use crate::http::server::body;
use crate::ledger::Ledger;
use crate::plugin::Slots;
use crate::record::capture::{Asked, Captures, StartCaptureError};
use bytes::Buf;
use futures_util::Stream;
use std::pin::Pin;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

/// What the names of the hops of flows begin with.
const FLOW: &str = "flows.";

/// What a capture can be of.
pub(super) struct Places<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) routes: &'a RouteTable,
    pub(super) slots: &'a Slots,
}

impl Places<'_> {
    /// Whether there is what is asked for: a capture of something else would wait for what never comes.
    ///
    /// # Errors
    /// Names what there is instead.
    fn check(&self, asked: &Asked) -> Result<(), Problem> {
        let Asked { flow, route, policy, .. } = asked;
        let asked_for =
            [("flow", flow, self.flows()), ("route", route, self.routes.names()), ("policy", policy, self.policies())];
        for (kind, name, names) in asked_for {
            if let Some(name) = name.as_ref().filter(|name| !names.contains(name)) {
                let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                let name = &name[..name.floor_char_boundary(REJECTED_TEXT_BYTES_MAX)];
                return Err(Problem::NothingToCapture(format!("no {kind} is named {name}; there is: {there}")));
            }
        }
        Ok(())
    }

    /// The flows that there are, or were: that of the frontend is no surface, but each has hops.
    fn flows(&self) -> Vec<String> {
        let hops = self.ledger.hops();
        let of_flows = hops.iter().filter_map(|(hop, _)| hop.strip_prefix(FLOW)?.split('.').next());
        let mut names: Vec<_> = of_flows.map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn policies(&self) -> Vec<String> {
        let policies = self.slots.all().into_iter().filter(|slot| self.slots.is_policy(slot));
        policies.map(|slot| slot.name().to_owned()).collect()
    }
}

/// Begins a capture of what the body asks for; of everything where it is empty.
///
/// # Errors
/// When that makes no sense, there is no such flow, route or policy, as many run as may, or its file cannot be written.
pub(super) async fn start<B: Buf>(
    captures: &Captures,
    places: Places<'_>,
    headers: &HeaderMap,
    body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
) -> Result<Response, Problem> {
    let bound = ("the bound of what is asked for,", ADMIN_CAPTURE_BYTES_MAX);
    let bytes = body::read(headers, body, bound, BODY_TIMEOUT).await?;
    let asked = match bytes.is_empty() {
        true => Asked::default(),
        false => serde_json::from_slice(&bytes).map_err(|error| Problem::Malformed(format!("the body: {error}")))?,
    };
    places.check(&asked)?;
    let captures = captures.clone();
    let started = tokio::task::spawn_blocking(move || captures.start(asked)).await.map_err(|_| Problem::Host)?;
    let status = started.map_err(|error| match error {
        StartCaptureError::Off => Problem::CapturesOff(error.to_string()),
        StartCaptureError::Wrong(what) => Problem::Malformed(what),
        StartCaptureError::TooMany => Problem::TooManyCaptures(error.to_string()),
        StartCaptureError::Failed(what) => Problem::NotCaptured(what),
    })?;
    let mut response = json(&status)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Ends a capture, and says what it has.
///
/// # Errors
/// When there is none of this name.
pub(super) async fn stop(captures: &Captures, id: String) -> Result<Response, Problem> {
    match captures.stop(&id).await {
        Some(status) => json(&status),
        None => Err(Problem::NoCapture(id)),
    }
}
