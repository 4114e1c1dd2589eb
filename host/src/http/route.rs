//! A route: the plugins and other stages that its messages go through, where what comes out goes, and what it allows; and
//! the table of all routes.

mod path;
mod run;
mod step;

pub use path::{RoutePath, StepPath, hop_name, step_hop_name};
pub use run::{Begun, Ran};
pub(crate) use step::FoundStep;
pub use step::{HostStage, Step, Stop};

use super::problem::Problem;
use super::server::middleware::CorsPolicy;
use crate::config;
use crate::flow::{Recording, Sink, Taps};
use crate::ledger::Hop;
use crate::plugin::{CallError, Slot, Slots};
use arc_swap::ArcSwap;
use smallvec::{SmallVec, smallvec};
use std::collections::BTreeMap;
use std::sync::Arc;
use warp::http::HeaderName;

/// What a route takes that was configured.
const CONFIGURED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// What one takes that a plugin has by itself.
const PLAIN_METHODS: &str = "GET, HEAD, POST";

/// What is said of a route.
#[derive(Clone, Default)]
pub struct Route {
    /// Its name; that of the plugin where this is empty.
    pub name: String,
    /// Its steps in order. A plugin without a route of its own is its route's only one, and is not named here.
    pub through: Vec<Stop>,
    /// Where what comes out goes: all of it to each of them.
    pub sinks: Vec<Arc<dyn Sink>>,
    /// Counts its messages, until all sinks have taken what came of them.
    pub hop: Arc<Hop>,
    /// Where whoever watches sees what comes in and goes out.
    pub taps: Taps,
    /// Where its calls are recorded.
    pub recording: Recording,
    /// What it allows.
    pub options: RouteOptions,
}

/// What a route allows beside what all do.
#[derive(Clone, Default)]
pub struct RouteOptions {
    /// The headers of a request that plugins see.
    pub headers: Vec<HeaderName>,
    /// The headers that plugins may set in a response.
    pub response_headers: Vec<HeaderName>,
    /// Takes bodies with a content coding.
    pub decompress: bool,
    /// Gives answers a content coding where the client accepts one.
    pub compress: bool,
    /// The pages of other origins that may read its answers.
    pub cors: Option<Arc<CorsPolicy>>,
}

impl RouteOptions {
    /// As configured. Names of headers that are none were refused with the configuration.
    pub fn of(route: &config::Route, has_token: bool) -> Self {
        let names = |names: &[String]| names.iter().filter_map(|name| HeaderName::try_from(name).ok()).collect();
        Self {
            headers: names(&route.headers),
            response_headers: names(&route.response_headers),
            decompress: route.decompress,
            compress: route.compress,
            cors: CorsPolicy::of(route, CONFIGURED_METHODS, has_token).map(Arc::new),
        }
    }
}

/// All routes by name. Those of `[routes]` come before those that plugins have by themselves.
pub struct RouteTable {
    slots: Arc<Slots>,
    configured: ArcSwap<BTreeMap<String, Arc<Route>>>,
    /// Of a plugin without one of its own.
    plain: Arc<Route>,
    /// Numbers the calls of all routes, so that no two of them draw the same random numbers.
    numbers: Arc<Hop>,
}

impl RouteTable {
    /// Plugins without a route of their own have the `plain` one, whose hop numbers the calls of all.
    pub fn new(slots: Arc<Slots>, plain: Route) -> Self {
        let numbers = Arc::clone(&plain.hop);
        Self { slots, configured: ArcSwap::default(), plain: Arc::new(plain), numbers }
    }

    /// Replaces those of `[routes]`. Requests in flight end on what they began with.
    pub fn configure(&self, routes: Vec<Route>) {
        let by_name = routes.into_iter().map(|route| (route.name.clone(), Arc::new(route))).collect();
        self.configured.store(Arc::new(by_name));
    }

    /// The slots of the plugins.
    pub fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// The route of this name, with what its plugins' slots are now.
    ///
    /// # Errors
    /// When there is none, or one of its plugins was unloaded.
    pub(crate) fn find(&self, name: &str) -> Result<FoundRoute, Problem> {
        if let Some(route) = self.configured.load().get(name) {
            let steps = route.through.iter().map(|stop| self.step(&stop.step)).collect::<Option<_>>();
            let steps = steps.ok_or(CallError::EmptySlot)?;
            return Ok(FoundRoute::new(Arc::clone(route), steps));
        }
        let slot = self.slots.get(name).ok_or(Problem::NoRoute)?;
        Ok(FoundRoute::new(Arc::clone(&self.plain), smallvec![FoundStep::Plugin(slot)]))
    }

    /// None if its plugin was unloaded.
    fn step(&self, step: &Step) -> Option<FoundStep> {
        match step {
            Step::Plugin(name) => self.slots.get(name).map(FoundStep::Plugin),
            Step::OfHost(stage) => Some(FoundStep::OfHost(Arc::clone(stage))),
        }
    }

    /// What the route of a path allows to pages of other origins.
    pub fn cors(&self, path: &str) -> Option<Arc<CorsPolicy>> {
        let configured = self.configured.load();
        // Who has configured no route pays for none.
        if configured.is_empty() {
            return None;
        }
        configured.get(split(path).0)?.options.cors.clone()
    }

    /// The names of all routes, in order, whatever their plugins are.
    pub fn names(&self) -> Vec<String> {
        let configured = self.configured.load();
        let plain = self.slots.all();
        let plain = plain.iter().map(|slot| slot.name()).filter(|name| !configured.contains_key(*name));
        let mut names: Vec<_> = configured.keys().map(String::as_str).chain(plain).map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// Whether plugins that serve HTTP are loaded for this route.
    pub fn is_served(&self, name: &str) -> bool {
        let kind = self.find(name).ok().and_then(|route| route.kind());
        kind.is_some_and(|kind| kind != Kind::Nothing)
    }
}

/// What the steps of a route are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// One handler.
    Handler,
    /// Each processes messages, as stages of the host's own do.
    Processors,
    /// At least one does neither, or is a handler among others: nothing is served.
    Nothing,
}

impl Kind {
    fn of(steps: &[FoundStep]) -> Option<Self> {
        let alone = steps.len() == 1;
        let mut kinds = steps.iter().map(|step| step.kind(alone));
        kinds.try_fold(Self::Processors, |all, kind| kind.map(|kind| if kind == Self::Processors { all } else { kind }))
    }
}

/// A route as one request has found it.
#[derive(Clone)]
pub(crate) struct FoundRoute {
    route: Arc<Route>,
    /// At least one.
    steps: SmallVec<[FoundStep; 1]>,
    kind: Option<Kind>,
}

impl FoundRoute {
    fn new(route: Arc<Route>, steps: SmallVec<[FoundStep; 1]>) -> Self {
        let kind = Kind::of(&steps);
        Self { route, steps, kind }
    }

    pub(crate) fn name(&self) -> &str {
        match &self.steps[..] {
            [FoundStep::Plugin(slot)] if !self.is_configured() => slot.name(),
            _ => &self.route.name,
        }
    }

    pub(crate) fn steps(&self) -> &[FoundStep] {
        &self.steps
    }

    pub(crate) fn options(&self) -> &RouteOptions {
        &self.route.options
    }

    pub(crate) fn sinks(&self) -> &[Arc<dyn Sink>] {
        &self.route.sinks
    }

    /// Whether a step is none of a plugin, which may take long and give its answer in parts.
    pub(crate) fn has_host_stage(&self) -> bool {
        self.steps.iter().any(|step| step.slot().is_none())
    }

    /// The methods that it takes, where it is not a handler's.
    pub(crate) fn methods(&self) -> &'static str {
        if self.is_configured() { CONFIGURED_METHODS } else { PLAIN_METHODS }
    }

    /// Whether the configuration says anything of it. Otherwise it is the route that each plugin has by itself.
    pub(crate) fn is_configured(&self) -> bool {
        !self.route.name.is_empty()
    }

    /// The first step, by whose share of the budget bodies are counted.
    pub(crate) fn first(&self) -> &FoundStep {
        &self.steps[0]
    }

    /// The last step, which gives the response.
    pub(crate) fn last(&self) -> &FoundStep {
        &self.steps[self.steps.len() - 1]
    }

    /// The handler that is mounted here. A handler answers by itself, so it is alone.
    pub(crate) fn handler(&self) -> Option<&Arc<Slot>> {
        match &self.steps[..] {
            [FoundStep::Plugin(slot)] if self.kind == Some(Kind::Handler) => Some(slot),
            _ => None,
        }
    }

    /// What its steps were when it was found; none if a plugin of them was not loaded.
    pub(crate) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// The most bytes that are held at a time of what its plugins return: of a chain, what went into a stage beside what
    /// came out of it.
    pub(crate) fn output_bytes_max(&self) -> usize {
        let largest = self.largest_output();
        if self.steps.len() > 1 { largest.saturating_mul(2) } else { largest }
    }

    fn largest_output(&self) -> usize {
        self.steps.iter().map(FoundStep::output_bytes_max).max().unwrap_or_default()
    }
}

/// A path's first part, which names a route, and what stands below that.
pub(crate) fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_at(path.find('/').unwrap_or(path.len()))
}
