//! The flows on the admin surface: how they do, pause, resume and drain, and others in their place.

use super::{BODY_TIMEOUT, json};
use crate::config::{self, ADMIN_FLOWS_BYTES_MAX, FLOW_COMMAND_MS_MAX};
use crate::flow::{Command, FlowPath, State, Status, Surface, Surfaces};
use crate::http::problem::Problem;
use crate::http::server::body;
use crate::ledger::{HopCounts, Ledger};
use bytes::Buf;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use warp::http::HeaderMap;
use warp::http::header::CONTENT_TYPE;
use warp::reply::Response;

/// For so long a flow may take to do what it is told before the answer says how it does.
const COMMAND_MAX: Duration = Duration::from_millis(FLOW_COMMAND_MS_MAX);
/// How often it is looked at meanwhile.
const COMMAND_LOOK: Duration = Duration::from_millis(2);

/// Has other sockets, flows and routes run.
pub trait Reconfigure: Send + Sync {
    /// Has those of a configuration, which is TOML, take the place of all that run. What else it says waits for a restart.
    fn replace(self: Arc<Self>, toml: String) -> BoxFuture<'static, Result<Applied, String>>;

    /// Adds a flow, or changes the one of this name.
    fn put_flow(self: Arc<Self>, name: String, flow: config::Flow) -> BoxFuture<'static, Result<Applied, String>>;
}

/// What has come into force, by keys such as `flows.NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// What was not there before.
    pub added: Vec<String>,
    /// What is another now.
    pub changed: Vec<String>,
    /// What is there no more.
    pub removed: Vec<String>,
    /// The keys that say something else than what is in force, which takes a restart.
    pub restart: Vec<String>,
}

/// How a flow does.
#[derive(Serialize)]
pub(super) struct FlowStatus {
    name: String,
    #[serde(flatten)]
    path: FlowPath,
    #[serde(flatten)]
    status: Status,
    obstacle: Option<String>,
    counts: HopCounts,
}

/// How each flow does.
pub(super) fn all(surfaces: &Surfaces, ledger: &Ledger) -> Vec<FlowStatus> {
    surfaces.all().iter().filter_map(|surface| status(surface, ledger)).collect()
}

/// How one does.
///
/// # Errors
/// When there is none of this name.
pub(super) fn one(surfaces: &Surfaces, ledger: &Ledger, name: String) -> Result<FlowStatus, Problem> {
    let found = find(surfaces, &name).and_then(|flow| status(&flow, ledger));
    found.ok_or(Problem::NoFlow(name))
}

/// How a flow does after it was given a command.
///
/// # Errors
/// When there is none of this name.
pub(super) async fn command(
    surfaces: &Surfaces,
    ledger: &Ledger,
    name: String,
    command: Command,
) -> Result<Response, Problem> {
    let Some(flow) = find(surfaces, &name) else { return Err(Problem::NoFlow(name)) };
    flow.command(command).map_err(|cause| {
        tracing::error!(cause, flow = name, "telling a flow what to do");
        Problem::Host
    })?;
    let is_done = || match (command, flow.health().state) {
        (Command::Pause, state) => state == State::Paused,
        (Command::Resume, state) => state == State::Running,
        (Command::Drain, state) => matches!(state, State::Draining | State::Drained),
    };
    let done = async {
        while !is_done() {
            sleep(COMMAND_LOOK).await;
        }
    };
    // One that stops at its next message again, say, is shown as it is.
    let _ = timeout(COMMAND_MAX, done).await;
    json(&status(&flow, ledger))
}

/// A body that says what is to run.
///
/// # Errors
/// When it is too large, does not come in time, or is no text.
pub(super) async fn text<B: Buf>(
    headers: &HeaderMap,
    body: Pin<&mut impl Stream<Item = Result<B, warp::Error>>>,
) -> Result<String, Problem> {
    let bound = ("the bound of a configuration,", ADMIN_FLOWS_BYTES_MAX);
    let bytes = body::read(headers, body, bound, BODY_TIMEOUT).await?;
    String::from_utf8(bytes).map_err(|error| Problem::Malformed(format!("the body is no UTF-8: {error}")))
}

/// What a body says of one flow: JSON where the request says so, else TOML.
///
/// # Errors
/// When a key or a value is wrong; names it, and its line.
pub(super) fn read(headers: &HeaderMap, text: &str) -> Result<config::Flow, Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let flow = match media_type.eq_ignore_ascii_case("application/json") {
        true => serde_json::from_str(text).map_err(|error| error.to_string()),
        false => toml::from_str(text).map_err(|error| error.to_string()),
    };
    flow.map_err(|error| Problem::NotReconfigured(format!("flow: {error}")))
}

/// What has come into force, once it has, even if the caller goes away meanwhile.
///
/// # Errors
/// When nothing was changed; says why.
pub(super) async fn applied(applying: BoxFuture<'static, Result<Applied, String>>) -> Result<Response, Problem> {
    let applied = tokio::spawn(applying).await.map_err(|_| Problem::Host)?;
    json(&applied.map_err(Problem::NotReconfigured)?)
}

/// The flow of this name.
pub(super) fn find(surfaces: &Surfaces, name: &str) -> Option<Arc<dyn Surface>> {
    surfaces.all().into_iter().find(|surface| surface.path().is_some() && surface.name() == name)
}

fn status(flow: &Arc<dyn Surface>, ledger: &Ledger) -> Option<FlowStatus> {
    Some(FlowStatus {
        name: flow.name().to_owned(),
        path: flow.path()?.clone(),
        status: flow.status()?,
        obstacle: flow.health().obstacle,
        counts: ledger.hop(&format!("flows.{}", flow.name())).figures(),
    })
}
