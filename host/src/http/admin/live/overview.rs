//! The overview: all that a host does, as of about one moment, with a name for everything in it.

use super::latency::{Durations, Latency};
use super::statistics;
use crate::config::{ADMIN_PEERS_MAX, FRONTEND};
use crate::flow::{PeerList, PoolStatus, Side, State, Status, Surface, Surfaces};
use crate::http::admin::metrics::process;
use crate::http::admin::readiness::{Readiness, Summary};
use crate::http::admin::workers;
use crate::http::route::{RoutePath, RouteTable, StepPath};
use crate::ledger::{HopCounts, Ledger, PeerQueueCounts};
use crate::merge_patch;
use crate::plugin::{Slot, SlotStatus, Slots, TimelineEntry};
use crate::record::capture::{CaptureStatus, Captures};
use crate::rehearsal::shadow::{ShadowStatus, Shadows};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What there is to look at.
#[derive(Clone)]
pub(in crate::http::admin) struct Watched {
    pub(in crate::http::admin) slots: Arc<Slots>,
    pub(in crate::http::admin) surfaces: Surfaces,
    pub(in crate::http::admin) ledger: Ledger,
    pub(in crate::http::admin) routes: Arc<RouteTable>,
    pub(in crate::http::admin) readiness: Arc<Readiness>,
    pub(in crate::http::admin) shadows: Shadows,
    pub(in crate::http::admin) captures: Captures,
    /// The flow that answers the frontend, if one does: its name, and its steps.
    pub(in crate::http::admin) frontend_flow: Option<(String, Vec<String>)>,
    /// When the host began, as RFC 3339 has it.
    pub(in crate::http::admin) started: String,
}

/// The overview, and what the next one of a watched host is compared with.
pub(in crate::http::admin) struct Overview {
    /// Nothing in it is `null`: what is not known has no name.
    pub(in crate::http::admin) value: Value,
    pub(super) durations: Durations,
}

#[derive(Serialize)]
struct Content {
    host: Host,
    surfaces: BTreeMap<String, SurfaceOverview>,
    hops: BTreeMap<String, HopCounts>,
    sockets: BTreeMap<String, PeerQueueCounts>,
    plugins: BTreeMap<String, PluginOverview>,
    /// Those that stand beside plugins and flows, or did last.
    shadows: BTreeMap<String, ShadowStatus>,
    flows: BTreeMap<String, FlowOverview>,
    routes: BTreeMap<String, RoutePath>,
    frontend: Option<FrontendPath>,
    pools: BTreeMap<String, Value>,
    peers: BTreeMap<String, PeerList>,
    captures: BTreeMap<String, CaptureStatus>,
}

#[derive(Serialize)]
struct Host {
    version: &'static str,
    started: String,
    time: String,
    #[serde(flatten)]
    readiness: Summary,
    cpu_ms: u64,
    memory_bytes: Option<u64>,
}

#[derive(Serialize)]
struct SurfaceOverview {
    endpoint: String,
    side: Side,
    state: State,
    obstacle: Option<String>,
    /// The hops that count what comes in or goes out by it.
    hops: Vec<String>,
    status: Option<Status>,
    statistics: Map<String, Value>,
}

#[derive(Serialize)]
struct PluginOverview {
    #[serde(flatten)]
    status: SlotStatus,
    is_policy: bool,
    counts: HopCounts,
    latency: Latency,
    timeline: Vec<TimelineEntry>,
}

#[derive(Serialize)]
struct FlowOverview {
    from: Vec<String>,
    through: Vec<StepPath>,
    to: Vec<String>,
    hop: String,
    #[serde(flatten)]
    status: Option<Status>,
    obstacle: Option<String>,
}

/// What the requests of the frontend go through.
#[derive(Serialize)]
struct FrontendPath {
    /// The flow that answers them, if one does.
    flow: Option<String>,
    through: Vec<StepPath>,
    hops: [&'static str; 3],
}

impl Watched {
    /// Looks at everything. `earlier` is what was counted some seconds ago, if somebody has watched since.
    pub(in crate::http::admin) async fn look(&self, earlier: Option<(f64, Durations)>) -> Option<Overview> {
        let pools = workers::by_name(&self.surfaces).await;
        let pools = pools.into_iter().map(|(name, status)| (name, pool(status))).collect();
        let watched = self.clone();
        // A thousand plugins are a megabyte, which is no work for a thread that carries traffic.
        tokio::task::spawn_blocking(move || watched.overview(earlier, pools)).await.ok()
    }

    fn overview(&self, earlier: Option<(f64, Durations)>, pools: BTreeMap<String, Value>) -> Overview {
        let (surfaces, durations) = (self.surfaces.all(), self.durations());
        let known = self.ledger.hops();
        let known: BTreeSet<&str> = known.iter().map(|(name, _)| &**name).collect();
        let flows = surfaces.iter().filter_map(|surface| flow(surface, &known)).collect();
        let of_surface = |surface: &Arc<dyn Surface>| (surface.name().to_owned(), SurfaceOverview::of(surface, &known));
        let content = Content {
            host: self.host(),
            surfaces: surfaces.iter().filter(|surface| surface.path().is_none()).map(of_surface).collect(),
            hops: self.ledger.hops().into_iter().map(|(name, hop)| (name.to_string(), hop.figures())).collect(),
            sockets: self
                .ledger
                .sockets()
                .into_iter()
                .map(|(name, queues)| (name.to_string(), queues.figures()))
                .collect(),
            plugins: self.plugins(&durations, earlier.as_ref()),
            shadows: by_name(self.shadows.list_in_short(), ShadowStatus::key),
            flows,
            routes: self.routes.paths(),
            frontend: self.frontend(&surfaces, &known),
            pools,
            peers: peers(&surfaces),
            captures: by_name(self.captures.list(), |capture| capture.id.clone()),
        };
        let value = serde_json::to_value(&content).unwrap_or_else(|error| {
            tracing::error!(%error, "writing an overview");
            Value::Object(Map::new())
        });
        Overview { value: merge_patch::without_nulls(value), durations }
    }

    fn host(&self) -> Host {
        Host {
            version: env!("CARGO_PKG_VERSION"),
            started: self.started.clone(),
            time: format!("{:.3}", jiff::Timestamp::now()),
            readiness: self.readiness.summary(),
            cpu_ms: u64::try_from(process::cpu().as_millis()).unwrap_or(u64::MAX),
            memory_bytes: process::resident_bytes(),
        }
    }

    fn durations(&self) -> Durations {
        self.slots.all().iter().map(|slot| (slot.name().to_owned(), slot.durations())).collect()
    }

    fn plugins(&self, durations: &Durations, earlier: Option<&(f64, Durations)>) -> BTreeMap<String, PluginOverview> {
        let overview = |slot: Arc<Slot>| {
            let name = slot.name().to_owned();
            let now = durations.get(&name)?;
            // One that was loaded since has made all its calls since.
            let earlier = earlier.map(|(seconds, durations)| (*seconds, durations.get(&name)));
            let overview = PluginOverview {
                status: slot.status(),
                is_policy: self.slots.is_policy(&slot),
                counts: slot.counts(),
                latency: Latency::of(now, earlier),
                timeline: slot.timeline(),
            };
            Some((name, overview))
        };
        self.slots.all().into_iter().filter_map(overview).collect()
    }

    fn frontend(&self, surfaces: &[Arc<dyn Surface>], known: &BTreeSet<&str>) -> Option<FrontendPath> {
        surfaces.iter().find(|surface| surface.name() == FRONTEND)?;
        let through = match &self.frontend_flow {
            Some((name, through)) => steps(name, through, known),
            None => {
                let policy = self.slots.all().into_iter().find(|slot| self.slots.is_policy(slot));
                policy.into_iter().map(|slot| StepPath { name: slot.name().to_owned(), hop: None }).collect()
            }
        };
        let flow = self.frontend_flow.as_ref().map(|(name, _)| name.clone());
        Some(FrontendPath { flow, through, hops: ["policy", "schedule", "reply"] })
    }
}

impl SurfaceOverview {
    fn of(surface: &Arc<dyn Surface>, known: &BTreeSet<&str>) -> Self {
        let (name, health) = (surface.name(), surface.health());
        let socket = format!("sockets.{name}");
        let hops = [name.to_owned(), format!("{socket}.in"), format!("{socket}.out"), socket];
        Self {
            endpoint: surface.endpoint(),
            side: surface.side(),
            state: health.state,
            obstacle: health.obstacle,
            hops: hops.into_iter().filter(|hop| known.contains(&**hop)).collect(),
            status: surface.status(),
            statistics: statistics::of(&**surface),
        }
    }
}

/// A flow under its name; none for what is no flow.
fn flow(surface: &Arc<dyn Surface>, known: &BTreeSet<&str>) -> Option<(String, FlowOverview)> {
    let (name, path) = (surface.name(), surface.path()?);
    let flow = FlowOverview {
        from: path.from.clone(),
        through: steps(name, &path.through, known),
        to: path.to.clone(),
        hop: hop_of(name),
        status: surface.status(),
        obstacle: surface.health().obstacle,
    };
    Some((name.to_owned(), flow))
}

fn hop_of(flow: &str) -> String {
    format!("flows.{flow}")
}

fn steps(flow: &str, through: &[String], known: &BTreeSet<&str>) -> Vec<StepPath> {
    let step = |step: &String| {
        let hop = format!("{}.{step}", hop_of(flow));
        StepPath { name: step.clone(), hop: known.contains(&*hop).then_some(hop) }
    };
    through.iter().map(step).collect()
}

/// A pool, or why it does not say how it does. Its workers have names, so that a change is one of a worker.
fn pool(status: Result<PoolStatus, String>) -> Value {
    let mut status = match status {
        Ok(status) => status,
        Err(cause) => return json!({ "cause": cause }),
    };
    let workers = std::mem::take(&mut status.workers);
    let count = workers.len();
    // Of REP workers only the addresses are known.
    let name = |id: u64, address: Option<&String>| match address {
        Some(address) if id == 0 => address.clone(),
        _ => id.to_string(),
    };
    let named = workers.into_iter().take(ADMIN_PEERS_MAX);
    let named: Map<_, _> = named.map(|worker| (name(worker.id, worker.address.as_ref()), json!(worker))).collect();
    let mut pool = json!(status);
    pool["workers"] = named.into();
    pool["workers_count"] = count.into();
    pool
}

/// These by their names.
fn by_name<T>(all: Vec<T>, name: fn(&T) -> String) -> BTreeMap<String, T> {
    all.into_iter().map(|one| (name(&one), one)).collect()
}

/// The peers of all surfaces that have any, by the names of the surfaces.
pub(in crate::http::admin) fn peers(surfaces: &[Arc<dyn Surface>]) -> BTreeMap<String, PeerList> {
    let peers = surfaces.iter().filter_map(|surface| Some((surface.name().to_owned(), surface.peers()?)));
    peers.collect()
}
