//! What a request to the admin surface asks for, by its path and method.

use super::{Admin, query};
use crate::flow::Command;
use crate::http::problem::Problem;
use crate::http::server::head::Head;
use crate::plugin::Slot;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use warp::http::Method;

/// What a request that passed the guard asks for.
pub(super) enum Route {
    Live,
    Ready,
    OpenApi,
    Ledger,
    Letters,
    Letter(String),
    Replay(String),
    Metrics,
    Broker(Option<Command>),
    Flows,
    Flow(String),
    Command { flow: String, command: Command },
    PutFlows,
    PutFlow(String),
    Drain,
    List,
    Show(Arc<Slot>),
    Put { name: String, persist: bool, permit: OwnedSemaphorePermit },
    Unload(String),
    Rollback { slot: Arc<Slot>, wanted: Option<u64>, persist: bool },
    Load(Arc<Slot>),
    Call(Arc<Slot>),
}

impl Admin {
    /// The guard first, then the path, then the method: a stranger learns nothing, and an unknown route wins over a
    /// wrong method.
    pub(super) fn route(&self, head: &Head) -> Result<Route, Problem> {
        let path = head.path();
        let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').skip(1).collect();
        // Whoever watches the host has neither a token nor a say in its headers.
        if !matches!(segments[..], ["livez" | "readyz"]) {
            self.guard.check(&head.parts.headers)?;
        }
        let get = |route| match head.parts.method {
            Method::GET | Method::HEAD => Ok(route),
            _ => Err(Problem::Method("GET, HEAD")),
        };
        let post = |route| if head.parts.method == Method::POST { Ok(route) } else { Err(Problem::Method("POST")) };
        match segments[..] {
            ["livez"] => get(Route::Live),
            ["readyz"] => get(Route::Ready),
            ["openapi.json"] => get(Route::OpenApi),
            ["ledger"] => get(Route::Ledger),
            ["dead-letters"] => get(Route::Letters),
            ["dead-letters", id] => get(Route::Letter(decoded(id)?)),
            ["dead-letters", id, "replay"] => post(Route::Replay(decoded(id)?)),
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
            ["flows", name, command] => {
                let command = Command::named(command).ok_or(Problem::NoAdminRoute)?;
                post(Route::Command { flow: decoded(name)?, command })
            }
            ["drain"] => post(Route::Drain),
            ["plugins"] => get(Route::List),
            ["plugins", name] => match head.parts.method {
                Method::GET | Method::HEAD => Ok(Route::Show(self.slot(name)?)),
                Method::PUT => {
                    let persist = query::put(head.query())?;
                    let permit = Arc::clone(&self.uploads).try_acquire_owned();
                    let permit = permit.map_err(|_| Problem::TooManyUploads)?;
                    Ok(Route::Put { name: name.to_owned(), persist, permit })
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
                post(Route::Load(self.slots.loadable(name).ok_or_else(|| Problem::NoPlugin(name.to_owned()))?))
            }
            ["plugins", name, "call"] => post(Route::Call(self.slot(name)?)),
            _ => Err(Problem::NoAdminRoute),
        }
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
