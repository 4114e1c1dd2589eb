//! The way of requests through each route, by names: of its steps, of its sinks, and of the hops that count there.

use super::{Kind, Route, RouteTable, Step};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The hop of the routes that plugins have by themselves, and of the handlers among them.
const PLAIN_HOPS: [&str; 2] = ["transform", "handler"];

/// What the hop of a configured route is called.
pub fn hop_name(route: &str) -> String {
    format!("routes.{route}")
}

/// What that of one of its steps is called, where it has several.
pub fn step_hop_name(route: &str, step: &str) -> String {
    format!("{}.{step}", hop_name(route))
}

/// The way through one route.
#[derive(Debug, Serialize)]
pub struct RoutePath {
    /// The steps, in order.
    pub through: Vec<StepPath>,
    /// The sinks that what comes out goes to.
    pub to: Vec<String>,
    /// The hop that counts its requests.
    pub hop: String,
    /// What its steps are now; none while a plugin of them is not loaded.
    pub(crate) kind: Option<Kind>,
}

/// A step of it.
#[derive(Debug, Serialize)]
pub struct StepPath {
    /// The plugin, or `workers.POOL`.
    pub name: String,
    /// The hop that counts its calls, where it has one of its own.
    pub hop: Option<String>,
}

impl RouteTable {
    /// The way through each route, by the names of the routes.
    pub fn paths(&self) -> BTreeMap<String, RoutePath> {
        let configured = self.configured.load();
        self.names().into_iter().map(|name| (name.clone(), self.path(configured.get(&name), name))).collect()
    }

    fn path(&self, route: Option<&Arc<Route>>, name: String) -> RoutePath {
        let kind = self.find(&name).ok().and_then(|found| found.kind());
        let sinks = |route: &Route| route.sinks.iter().map(|sink| sink.name().to_owned()).collect();
        match route {
            Some(route) => {
                let through = route.through.iter().map(|stop| {
                    let step = stop.step.name().to_owned();
                    let hop = stop.hop.as_ref().map(|_| step_hop_name(&name, &step));
                    StepPath { name: step, hop }
                });
                RoutePath { through: through.collect(), to: sinks(route), hop: hop_name(&name), kind }
            }
            None => {
                let [transform, handler] = PLAIN_HOPS;
                let is_handler = kind == Some(Kind::Handler);
                RoutePath {
                    through: vec![StepPath { name, hop: None }],
                    to: if is_handler { Vec::new() } else { sinks(&self.plain) },
                    hop: if is_handler { handler } else { transform }.to_owned(),
                    kind,
                }
            }
        }
    }
}

impl Step {
    fn name(&self) -> &str {
        match self {
            Self::Plugin(name) => name,
            Self::OfHost(stage) => stage.name(),
        }
    }
}
