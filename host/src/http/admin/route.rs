//! What a request to the admin surface asks for, by its path and method.

use super::plugins::ShadowOf;
use super::{Admin, query};
use crate::flow::Command;
use crate::http::problem::Problem;
use crate::http::server::head::Head;
use crate::plugin::{Cause, Put, Slot};
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use warp::http::Method;

/// What a request that passed the guard asks for.
pub(super) enum Route {
    Page,
    PageFile(String),
    Live,
    Ready,
    OpenApi,
    Ledger,
    Overview,
    Changes,
    Peers,
    Letters,
    Letter(String),
    Replay(String),
    TryLetter { id: String, permit: OwnedSemaphorePermit },
    Captures,
    StartCapture,
    StopCapture(String),
    Shadows,
    Shadow(ShadowOf),
    StartShadow { slot: Arc<Slot>, permit: OwnedSemaphorePermit },
    StartChain(String),
    StopShadow(ShadowOf),
    PromoteShadow(ShadowOf),
    Metrics,
    Broker(Option<Command>),
    Flows,
    Flow(String),
    Command { flow: String, command: Command },
    PutFlows,
    PutFlow(String),
    Workers,
    DrainWorker { pool: String, worker: String },
    Tail,
    Drain,
    List,
    Show(Arc<Slot>),
    Put { name: String, put: Put, permit: OwnedSemaphorePermit },
    Unload(String),
    Rollback { slot: Arc<Slot>, wanted: Option<u64>, persist: bool },
    Load { slot: Arc<Slot>, cause: Cause },
    Hold(Arc<Slot>),
    Resume(Arc<Slot>),
    Call(Arc<Slot>),
    AddExamples { slot: Arc<Slot>, name: Option<String> },
    TrySteps(String),
    TryFlow(String),
}

impl Admin {
    /// The guard first, then the path, then the method: a stranger learns nothing, and an unknown route wins over a
    /// wrong method.
    pub(super) fn route(&self, head: &Head) -> Result<Route, Problem> {
        let path = head.path();
        let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').skip(1).collect();
        // Whoever watches the host has neither a token nor a say in its headers; the page asks for the token.
        if !matches!(segments[..], ["livez" | "readyz"] | [] | ["page", _] | ["page", _, _]) {
            self.guard.check(&head.parts.headers)?;
        }
        let get = |route| match head.parts.method {
            Method::GET | Method::HEAD => Ok(route),
            _ => Err(Problem::Method("GET, HEAD")),
        };
        let post = |route| if head.parts.method == Method::POST { Ok(route) } else { Err(Problem::Method("POST")) };
        match segments[..] {
            [] => get(Route::Page),
            ["page", file] => get(Route::PageFile(file.to_owned())),
            ["page", folder, file] => get(Route::PageFile(format!("{folder}/{file}"))),
            ["livez"] => get(Route::Live),
            ["readyz"] => get(Route::Ready),
            ["openapi.json"] => get(Route::OpenApi),
            ["ledger"] => get(Route::Ledger),
            ["overview"] => get(Route::Overview),
            ["changes"] => get(Route::Changes),
            ["peers"] => get(Route::Peers),
            ["dead-letters"] => get(Route::Letters),
            ["dead-letters", id] => get(Route::Letter(decoded(id)?)),
            ["dead-letters", id, "replay"] if head.query() == "with=component" => {
                let id = decoded(id)?;
                post(Route::TryLetter { id, permit: self.upload()? })
            }
            ["dead-letters", id, "replay"] => post(Route::Replay(decoded(id)?)),
            ["captures"] => get(Route::Captures),
            ["capture"] => post(Route::StartCapture),
            ["capture", id] => match head.parts.method {
                Method::DELETE => Ok(Route::StopCapture(decoded(id)?)),
                _ => Err(Problem::Method("DELETE")),
            },
            ["shadows"] => get(Route::Shadows),
            ["metrics"] => get(Route::Metrics),
            ["broker"] => get(Route::Broker(None)),
            ["broker", command] => post(Route::Broker(Some(Command::named(command).ok_or(Problem::NoAdminRoute)?))),
            ["flows"] => match head.parts.method {
                Method::GET | Method::HEAD => Ok(Route::Flows),
                Method::PUT => Ok(Route::PutFlows),
                _ => Err(Problem::Method("GET, HEAD, PUT")),
            },
            ["flows", name] => match head.parts.method {
                Method::GET | Method::HEAD => Ok(Route::Flow(decoded(name)?)),
                Method::PUT => Ok(Route::PutFlow(decoded(name)?)),
                _ => Err(Problem::Method("GET, HEAD, PUT")),
            },
            ["flows", name, "call"] => post(Route::TryFlow(decoded(name)?)),
            ["routes", name, "call"] => post(Route::TrySteps(decoded(name)?)),
            ["flows", name, "shadow"] => match head.parts.method {
                Method::GET | Method::HEAD => Ok(Route::Shadow(ShadowOf::Flow(decoded(name)?))),
                Method::PUT => Ok(Route::StartChain(decoded(name)?)),
                Method::DELETE => Ok(Route::StopShadow(ShadowOf::Flow(decoded(name)?))),
                _ => Err(Problem::Method("GET, HEAD, PUT, DELETE")),
            },
            ["flows", name, "shadow", "promote"] => post(Route::PromoteShadow(ShadowOf::Flow(decoded(name)?))),
            ["flows", name, command] => {
                let command = Command::named(command).ok_or(Problem::NoAdminRoute)?;
                post(Route::Command { flow: decoded(name)?, command })
            }
            ["workers"] => get(Route::Workers),
            ["workers", pool, "drain", worker] => {
                post(Route::DrainWorker { pool: decoded(pool)?, worker: decoded(worker)? })
            }
            ["tail"] => get(Route::Tail),
            ["drain"] => post(Route::Drain),
            ["plugins"] => get(Route::List),
            ["plugins", name] => match head.parts.method {
                Method::GET | Method::HEAD => Ok(Route::Show(self.slot(name)?)),
                Method::PUT => {
                    let put = query::put(head.query())?;
                    Ok(Route::Put { name: name.to_owned(), put, permit: self.upload()? })
                }
                Method::DELETE => Ok(Route::Unload(name.to_owned())),
                _ => Err(Problem::Method("GET, HEAD, PUT, DELETE")),
            },
            ["plugins", name, "rollback"] => {
                let slot = self.slot(name)?;
                let (wanted, persist) = query::rollback(head.query())?;
                post(Route::Rollback { slot, wanted, persist })
            }
            ["plugins", name, "load"] => {
                let slot = self.slots.loadable(name).ok_or_else(|| Problem::NoPlugin(name.to_owned()))?;
                post(Route::Load { slot, cause: query::load(head.query())? })
            }
            ["plugins", name, "shadow"] => match head.parts.method {
                Method::GET | Method::HEAD => Ok(Route::Shadow(ShadowOf::Plugin(name.to_owned()))),
                Method::PUT => Ok(Route::StartShadow { slot: self.slot(name)?, permit: self.upload()? }),
                Method::DELETE => Ok(Route::StopShadow(ShadowOf::Plugin(name.to_owned()))),
                _ => Err(Problem::Method("GET, HEAD, PUT, DELETE")),
            },
            ["plugins", name, "shadow", "promote"] => post(Route::PromoteShadow(ShadowOf::Plugin(name.to_owned()))),
            ["plugins", name, "pause"] => post(Route::Hold(self.slot(name)?)),
            ["plugins", name, "resume"] => post(Route::Resume(self.slot(name)?)),
            ["plugins", name, "examples"] => {
                post(Route::AddExamples { slot: self.slot(name)?, name: query::example_name(head.query())? })
            }
            ["plugins", name, "call"] => post(Route::Call(self.slot(name)?)),
            _ => Err(Problem::NoAdminRoute),
        }
    }

    fn upload(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.uploads).try_acquire_owned().map_err(|_| Problem::TooManyUploads)
    }

    fn slot(&self, name: &str) -> Result<Arc<Slot>, Problem> {
        self.slots.get(name).ok_or_else(|| Problem::NoPlugin(name.to_owned()))
    }
}

/// A segment of the path that is any text.
fn decoded(segment: &str) -> Result<String, Problem> {
    percent_decode_str(segment)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| Problem::Malformed(format!("`{segment}` in the path is not UTF-8")))
}
