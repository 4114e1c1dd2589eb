//! What changes when another configuration is to be in force: what is the same notices nothing, a new socket is bound
//! before an old one is closed, and a flow that goes finishes what it has taken in.

use super::{Flows, OpenSocket, Running};
use crate::app::http::RoutesInForce;
use crate::config::{self, Config};
use crate::flow::{Inlet, Surface};
use crate::messaging::socket::is_left;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// For so long a socket that was closed is waited for to be gone from where it was bound.
const LEFT_WAIT_MAX: Duration = Duration::from_secs(2);
const LEFT_LOOK: Duration = Duration::from_millis(5);

/// What was changed, by name.
#[derive(Debug, Default)]
pub(in crate::app) struct Changes {
    /// Flows and sockets that were not there before.
    pub(in crate::app) added: Vec<String>,
    /// Those that are another now.
    pub(in crate::app) changed: Vec<String>,
    /// Those that are there no more.
    pub(in crate::app) removed: Vec<String>,
}

impl Changes {
    pub(in crate::app) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// Adds what differs between the routes before and now.
    pub(in crate::app) fn add_routes(
        &mut self,
        before: &BTreeMap<String, config::Route>,
        now: &BTreeMap<String, config::Route>,
    ) {
        let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        for name in names.into_iter().filter(|name| before.get(*name) != now.get(*name)) {
            self.add("routes", name, before.contains_key(name), now.contains_key(name));
        }
    }

    fn add(&mut self, section: &str, name: &str, was: bool, is: bool) {
        let list = match (was, is) {
            (true, true) => &mut self.changed,
            (true, false) => &mut self.removed,
            (false, _) => &mut self.added,
        };
        list.push(format!("{section}.{name}"));
    }
}

/// The difference between what runs and what is to run.
struct Difference {
    sockets_going: BTreeSet<String>,
    sockets_coming: BTreeSet<String>,
    flows_going: BTreeSet<String>,
    flows_coming: BTreeSet<String>,
}

impl Flows {
    /// Has the sockets and flows of a configuration run, which was checked by itself, in place of those `in_force`. `routes`
    /// get the sockets that there are then.
    ///
    /// # Errors
    /// When a socket cannot be opened; then what ran before does still. Names what it is.
    pub(in crate::app) async fn apply(
        &self,
        in_force: &Config,
        config: &Config,
        routes: &RoutesInForce,
    ) -> Result<Changes, String> {
        let mut running = self.running.lock().await;
        let difference = Difference::between(&running, config);
        let before = running.config();
        match self.change(&mut running, config, &difference, routes).await {
            Ok(()) => Ok(difference.report()),
            Err(error) => {
                // What was ended to make way begins again.
                let back = Config { sockets: before.0, flows: before.1, ..in_force.clone() };
                let difference = Difference::between(&running, &back);
                match self.change(&mut running, &back, &difference, routes).await {
                    Ok(()) => Err(error),
                    Err(second) => Err(format!("{error}; and going back to what ran before: {second}")),
                }
            }
        }
    }

    async fn change(
        &self,
        running: &mut Running,
        config: &Config,
        difference: &Difference,
        routes: &RoutesInForce,
    ) -> Result<(), String> {
        let Difference { sockets_going, sockets_coming, flows_going, flows_coming } = difference;
        let held: BTreeSet<_> =
            sockets_going.iter().filter_map(|name| running.sockets.get(name)).flat_map(places).collect();
        let waits = |name: &&String| config.sockets.get(*name).is_some_and(|socket| makes_wait(socket, &held));
        let (later, at_once): (Vec<_>, Vec<_>) = sockets_coming.iter().partition(waits);
        let mut opened = BTreeMap::new();
        for name in at_once {
            match self.open_live(config, name).await {
                Ok(socket) => drop(opened.insert(name.clone(), socket)),
                Err(error) => {
                    self.end_sockets(opened.into_values()).await;
                    return Err(error);
                }
            }
        }
        if later.is_empty() {
            // Requests go to the new sockets before the old ones close.
            let staying = running.sockets.iter().filter(|(name, _)| !sockets_going.contains(*name));
            routes.configure(&config.routes, &self.sinks_of(staying.map(|(_, socket)| socket).chain(opened.values())));
        }
        // What comes in from now on is for the new flow of a name, which begins once the old one has ended.
        let mut inlets = BTreeMap::new();
        for name in flows_coming {
            inlets.insert(name.clone(), self.inlets(config, name, &config.flows[name]));
        }
        let gone: Vec<_> = flows_going.iter().filter_map(|name| running.flows.remove(name)).collect();
        connect(running, &inlets);
        for flow in gone {
            let abandoned = Arc::clone(&flow.surface).end(self.deadline()).await;
            self.surfaces.remove(&(Arc::clone(&flow.surface) as Arc<dyn Surface>));
            tracing::info!(flow = flow.surface.name(), abandoned, "flow ended");
        }
        let gone: Vec<_> = sockets_going.iter().filter_map(|name| running.sockets.remove(name)).collect();
        self.end_sockets(gone).await;
        running.sockets.extend(opened);
        for name in later {
            let socket = self.open_live(config, name).await?;
            running.sockets.insert(name.clone(), socket);
        }
        connect(running, &inlets);
        for (name, inlets) in inlets {
            let flow = self.start(running, &name, &config.flows[&name], inlets);
            running.flows.insert(name, flow);
        }
        routes.configure(&config.routes, &self.sinks_of(running.sockets.values()));
        Ok(())
    }

    /// Opens a socket while the host runs, and says where it is.
    async fn open_live(&self, config: &Config, name: &str) -> Result<OpenSocket, String> {
        let socket = &config.sockets[name];
        let opened = self.open_socket(config, name, socket).await;
        match &opened {
            Ok(opened) => tracing::info!(socket = name, endpoint = opened.surface.endpoint(), "socket opened"),
            // Some of its places it may have had.
            Err(_) if socket.bind.len() > 1 => await_left(socket.bind.iter().map(ToString::to_string)).await,
            Err(_) => {}
        }
        opened
    }

    async fn end_sockets(&self, sockets: impl IntoIterator<Item = OpenSocket>) {
        for socket in sockets {
            let abandoned = Arc::clone(&socket.surface).end(self.deadline()).await;
            self.surfaces.remove(&socket.surface);
            let endpoint = socket.surface.endpoint();
            await_left(endpoint.split(' ').take(socket.config.bind.len()).map(str::to_owned)).await;
            tracing::info!(socket = socket.surface.name(), abandoned, "socket closed");
        }
    }
}

/// Has each socket fill the inlets of the flows that run, and of those that are to.
fn connect(running: &Running, coming: &BTreeMap<String, super::Inlets>) {
    let of_flows = running.flows.values().flat_map(|flow| &flow.inlets);
    let mut by_socket: BTreeMap<&str, Vec<Arc<Inlet>>> = BTreeMap::new();
    for (socket, inlet) in of_flows.chain(coming.values().flatten()) {
        by_socket.entry(socket).or_default().push(Arc::clone(inlet));
    }
    for (name, socket) in &running.sockets {
        if let Some(stream) = &socket.stream {
            stream.set_inlets(by_socket.remove(name.as_str()).unwrap_or_default());
        }
    }
}

/// Waits until sockets that were closed are gone from these endpoints, so that another may be bound there.
async fn await_left(endpoints: impl Iterator<Item = String>) {
    let left = async {
        for endpoint in endpoints {
            while !is_left(&endpoint) {
                sleep(LEFT_LOOK).await;
            }
        }
    };
    let _ = timeout(LEFT_WAIT_MAX, left).await;
}

/// Where a socket is bound, as the configuration says it.
fn places(socket: &OpenSocket) -> Vec<String> {
    socket.config.bind.iter().map(ToString::to_string).collect()
}

/// Whether a socket can only be bound once those are closed that hold these places.
fn makes_wait(socket: &config::Socket, held: &BTreeSet<String>) -> bool {
    socket.bind.iter().any(|endpoint| held.contains(&endpoint.to_string()))
}

impl Running {
    /// The sockets and flows as they were configured.
    fn config(&self) -> (BTreeMap<String, config::Socket>, BTreeMap<String, config::Flow>) {
        let sockets = self.sockets.iter().map(|(name, socket)| (name.clone(), socket.config.clone()));
        let flows = self.flows.iter().map(|(name, flow)| (name.clone(), flow.config.clone()));
        (sockets.collect(), flows.collect())
    }
}

impl Difference {
    fn between(running: &Running, config: &Config) -> Self {
        let wanted = super::used(config);
        let is_same = |name: &String| running.sockets.get(name).map(|open| &open.config) == wanted.get(name).copied();
        let sockets_going: BTreeSet<_> = running.sockets.keys().filter(|name| !is_same(name)).cloned().collect();
        let sockets_coming = wanted.keys().filter(|name| !is_same(name)).map(|name| (*name).clone()).collect();
        let touched = |flow: &config::Flow| flow.from.iter().chain(&flow.to).any(|name| sockets_going.contains(name));
        let stays = |name: &String| {
            let before = running.flows.get(name).map(|open| &open.config);
            before.is_some() && before == config.flows.get(name) && !before.is_some_and(touched)
        };
        let flows_going = running.flows.keys().filter(|name| !stays(name)).cloned().collect();
        let flows_coming = config.flows.keys().filter(|name| !stays(name)).cloned().collect();
        Self { flows_going, flows_coming, sockets_going, sockets_coming }
    }

    fn report(&self) -> Changes {
        let mut changes = Changes::default();
        for (section, going, coming) in
            [("sockets", &self.sockets_going, &self.sockets_coming), ("flows", &self.flows_going, &self.flows_coming)]
        {
            for name in going.union(coming) {
                changes.add(section, name, going.contains(name), coming.contains(name));
            }
        }
        changes
    }
}
