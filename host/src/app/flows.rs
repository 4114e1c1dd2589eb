//! The sockets, pools and flows of a host: what the configuration says of them is opened, started, changed and ended here, all
//! of that while the others go on.

mod change;
mod difference;
mod executor;
mod left;
mod lost;
mod opening;
mod place;
mod pools;

use super::builder::Builder;
use super::pools::Pools;
use super::{StartError, could_not_start};
use crate::backbone::{Backbone, Consumer};
use crate::config::{self, Config};
use crate::flow::{self, FlowParts, FlowSettings, FlowStage, FlowSurface, Inlet, Recording, Sink, Surface, Taps};
use crate::http::{WebSockets, ZwsSocket};
use crate::ledger::Ledger;
use crate::messaging::Curve;
use crate::messaging::stream::{StreamSocket, Streams};
use crate::plugin::Slots;
use crate::record::dead_letters::LetterSeed;
use crate::system::supervisor::Supervisor;
pub(super) use difference::Changes;
use executor::TokioExecutor;
use lost::Letters;
use place::{PlaceConfig, used};
use pools::OpenPool;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OnceCell};

/// What runs, and what it is made with.
pub(super) struct Flows {
    slots: Arc<Slots>,
    ledger: Ledger,
    letters: Letters,
    taps: Taps,
    recording: Recording,
    supervisor: Supervisor,
    surfaces: flow::Surfaces,
    curve: Option<Curve>,
    websockets: Arc<WebSockets>,
    /// Where messages for pools go.
    pools: Pools,
    /// The sinks that are none of `[sockets]`.
    others: Vec<Arc<dyn Sink>>,
    /// How long a flow that is changed or removed may take to finish what it has taken in.
    grace: Duration,
    /// The thread of the sockets, once there is one.
    streams: OnceCell<Arc<Streams>>,
    /// The connection to NATS, once a place there was named.
    backbone: OnceCell<Arc<Backbone>>,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    sockets: BTreeMap<String, OpenSocket>,
    pools: BTreeMap<String, OpenPool>,
    flows: BTreeMap<String, OpenFlow>,
}

/// A socket or a place in JetStream, with what it was opened for.
struct OpenSocket {
    config: PlaceConfig,
    surface: Arc<dyn Surface>,
    /// Its handle, if flows may read it.
    source: Option<Source>,
    /// Where flows write, if they may.
    sink: Option<Arc<dyn Sink>>,
}

/// A socket that flows may read.
enum Source {
    Stream(Arc<StreamSocket>),
    WebSocket(Arc<ZwsSocket>),
    JetStream(Arc<Consumer>),
}

impl Source {
    /// From now on these flows read it.
    fn set_inlets(&self, inlets: Vec<Arc<Inlet>>) {
        match self {
            Self::Stream(socket) => socket.set_inlets(inlets),
            Self::WebSocket(socket) => socket.set_inlets(inlets),
            Self::JetStream(consumer) => consumer.set_inlets(inlets),
        }
    }
}

/// A flow, with what it was started for.
struct OpenFlow {
    config: config::Flow,
    surface: Arc<FlowSurface>,
    inlets: Inlets,
}

/// The inlets of a flow, each with the socket that fills it.
type Inlets = Vec<(String, Arc<Inlet>)>;

/// Opens the sockets and pools that flows and routes name. The flows start once their plugins are loaded.
pub(super) async fn add(builder: &mut Builder) -> Result<Arc<Flows>, StartError> {
    let seed = builder.slots.seed();
    let letters = Letters {
        letters: builder.dead_letters.clone(),
        ids: Arc::clone(&builder.request_ids),
        seed: LetterSeed { value: seed.value, fixed: seed.fixed },
    };
    let flows = Flows {
        slots: Arc::clone(&builder.slots),
        ledger: builder.ledger.clone(),
        letters,
        taps: builder.taps.clone(),
        recording: builder.recording.clone(),
        supervisor: builder.supervisor.clone(),
        surfaces: builder.surfaces.registry(),
        curve: builder.curve.clone(),
        websockets: Arc::clone(&builder.websockets),
        pools: builder.pools.clone(),
        others: builder.sinks.clone(),
        grace: Duration::from_millis(builder.config.shutdown.grace_ms),
        streams: OnceCell::new(),
        backbone: OnceCell::new(),
        running: Mutex::default(),
    };
    flows.open(&builder.config).await.map_err(could_not_start)?;
    builder.sinks = flows.sinks().await;
    Ok(Arc::new(flows))
}

impl Flows {
    /// Opens the sockets and pools that flows and routes name, each bound before any is read.
    ///
    /// # Errors
    /// When one cannot be opened; names it.
    pub(super) async fn open(&self, config: &Config) -> Result<(), String> {
        let mut running = self.running.lock().await;
        for (name, place) in used(config) {
            let opened = self.open_place(config, name, &place).await?;
            running.sockets.insert(name.clone(), opened);
        }
        for name in pools::used(config).into_keys() {
            let opened = self.open_pool(config, name).await?;
            self.serve_pool(name, &opened);
            running.pools.insert(name.clone(), opened);
        }
        Ok(())
    }

    /// Where messages can go to.
    pub(super) async fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        self.sinks_of(self.running.lock().await.sockets.values())
    }

    fn sinks_of<'a>(&self, sockets: impl Iterator<Item = &'a OpenSocket>) -> Vec<Arc<dyn Sink>> {
        self.others.iter().cloned().chain(sockets.filter_map(|socket| socket.sink.clone())).collect()
    }

    /// Starts a flow, which takes from its inlets what its sockets have put there.
    fn start(&self, running: &Running, name: &str, all: &Config, inlets: Inlets) -> OpenFlow {
        let config = &all.flows[name];
        let hop = self.ledger.hop(&hop_name(name));
        let stage = |step: &String| FlowStage {
            stage: self.pools.stage_of(step, config.idempotent, &self.slots),
            hop: self.ledger.hop(&format!("{}.{step}", hop_name(name))),
        };
        let to = all.sinks_named(config.to.iter().map(String::as_str));
        let sinks = to.into_iter().filter_map(|name| self.sink(running, name));
        let parts = FlowParts {
            settings: FlowSettings {
                name: name.to_owned(),
                order: config.order,
                on_error: config.on_error,
                in_flight_max: config.in_flight_max,
                in_flight_bytes_max: config.in_flight_bytes_max,
            },
            hop,
            inlets: inlets.iter().map(|(_, inlet)| Arc::clone(inlet)).collect(),
            stages: config.through.iter().map(stage).collect(),
            numbers: self.ledger.hop("transform"),
            sinks: sinks.collect(),
            lost: Arc::new(self.letters.clone()),
            taps: self.taps.clone(),
            recording: self.recording.clone(),
            executor: Arc::new(TokioExecutor(tokio::runtime::Handle::current())),
        };
        let part = hop_name(name);
        let surface = Arc::new(FlowSurface::start(parts, |task| {
            let task = self.supervisor.task(&part, task);
            async move {
                // The supervisor has reported a panic.
                let _ = task.await;
            }
        }));
        self.surfaces.add(Arc::clone(&surface) as Arc<dyn Surface>);
        OpenFlow { config: config.clone(), surface, inlets }
    }

    fn sink(&self, running: &Running, name: &str) -> Option<Arc<dyn Sink>> {
        let other = || self.others.iter().find(|sink| sink.name() == name).cloned();
        running.sockets.get(name).map_or_else(other, |socket| socket.sink.clone())
    }

    /// The inlets of a flow, empty.
    fn inlets(&self, config: &Config, name: &str, flow: &config::Flow) -> Inlets {
        let hop = self.ledger.hop(&hop_name(name));
        let inlet = |socket: &String| {
            let bounds = config.inlet_bounds_of(socket);
            let inlet = Inlet::new(socket, Arc::clone(&hop), bounds.messages_max, bounds.bytes_max);
            (socket.clone(), Arc::new(inlet))
        };
        flow.from.iter().map(inlet).collect()
    }

    /// Closes what is left when all sockets have ended.
    pub(super) async fn close(&self) {
        if let Some(backbone) = self.backbone.get() {
            backbone.close().await;
        }
        if let Some(streams) = self.streams.get().cloned() {
            let _ = tokio::task::spawn_blocking(move || streams.close()).await;
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.grace
    }
}

fn hop_name(flow: &str) -> String {
    format!("flows.{flow}")
}
