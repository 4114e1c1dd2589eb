//! What changes when another configuration is to be in force: what is the same notices nothing, a new socket is bound
//! before an old one is closed, and a flow that goes finishes what it has taken in.

use super::difference::{Changes, Difference};
use super::left::await_left;
use super::pools::OpenPool;
use super::{Flows, OpenSocket, Running, used};
use crate::app::http::RoutesInForce;
use crate::config::{Config, Endpoint};
use crate::flow::{Inlet, Surface};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Flows {
    /// Has the sockets, pools and flows of a configuration run, which was checked by itself, in place of those `in_force`. `routes`
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
        let back = running.config(in_force);
        match self.change(&mut running, config, &difference, routes).await {
            Ok(()) => {
                self.backbone.get().into_iter().for_each(|backbone| backbone.set_streams(&config.streams));
                let mut changes = difference.report();
                changes.add_of("streams", &in_force.streams, &config.streams);
                Ok(changes)
            }
            Err(error) => {
                // What was ended to make way begins again.
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
        let Difference { sockets, pools, flows } = difference;
        let held = held(running, difference);
        let waits = |name: &&String| config.sockets.get(*name).is_some_and(|socket| makes_wait(&socket.bind, &held));
        let (later, at_once): (Vec<_>, Vec<_>) = sockets.coming.iter().partition(waits);
        let waits = |name: &&String| config.workers.get(*name).is_some_and(|pool| makes_wait(&pool.bind, &held));
        let (later_pools, pools_at_once): (Vec<_>, Vec<_>) = pools.coming.iter().partition(waits);
        let (opened, opened_pools) = self.open_all(config, &at_once, &pools_at_once).await?;
        opened_pools.iter().for_each(|(name, pool)| self.serve_pool(name, pool));
        // Of those that can only be opened later messages wait for the new ones.
        let new_pools = later_pools.iter().filter(|name| !running.pools.contains_key(**name));
        new_pools.for_each(|name| self.pools.hold(name, &config.workers[*name]));
        if later.is_empty() {
            // Requests go to the new sockets before the old ones close.
            let staying = running.sockets.iter().filter(|(name, _)| !sockets.going.contains(*name));
            routes.configure(config, &self.sinks_of(staying.map(|(_, socket)| socket).chain(opened.values())));
        }
        // What comes in from now on is for the new flow of a name, which begins once the old one has ended.
        let mut inlets = BTreeMap::new();
        for name in &flows.coming {
            inlets.insert(name.clone(), self.inlets(config, name, &config.flows[name]));
        }
        let gone: Vec<_> = flows.going.iter().filter_map(|name| running.flows.remove(name)).collect();
        connect(running, &inlets);
        for flow in gone {
            let abandoned = Arc::clone(&flow.surface).end(self.deadline()).await;
            self.surfaces.remove(&(Arc::clone(&flow.surface) as Arc<dyn Surface>));
            tracing::info!(flow = flow.surface.name(), abandoned, "flow ended");
        }
        let gone: Vec<_> = sockets.going.iter().filter_map(|name| running.sockets.remove(name)).collect();
        self.end_sockets(gone).await;
        running.sockets.extend(opened);
        // Flows that end lead through pools that end.
        self.replace_pools(running, &pools.going, opened_pools).await;
        for name in later {
            let socket = self.open_live(config, name).await?;
            running.sockets.insert(name.clone(), socket);
        }
        for name in later_pools {
            let pool = self.open_pool_live(config, name).await?;
            self.serve_pool(name, &pool);
            running.pools.insert(name.clone(), pool);
        }
        connect(running, &inlets);
        for (name, inlets) in inlets {
            let flow = self.start(running, &name, config, inlets);
            running.flows.insert(name, flow);
        }
        routes.configure(config, &self.sinks_of(running.sockets.values()));
        // Now no step knows them any more.
        pools.going.iter().filter(|name| !pools.coming.contains(*name)).for_each(|name| self.pools.forget(name));
        Ok(())
    }

    /// Opens all of these, or none.
    async fn open_all(
        &self,
        config: &Config,
        sockets: &[&String],
        pools: &[&String],
    ) -> Result<(BTreeMap<String, OpenSocket>, BTreeMap<String, OpenPool>), String> {
        let (mut opened, mut opened_pools) = (BTreeMap::new(), BTreeMap::new());
        let open = async {
            for name in sockets {
                opened.insert((*name).clone(), self.open_live(config, name).await?);
            }
            for name in pools {
                opened_pools.insert((*name).clone(), self.open_pool_live(config, name).await?);
            }
            Ok(())
        };
        match open.await {
            Ok(()) => Ok((opened, opened_pools)),
            Err(error) => {
                self.end_sockets(opened.into_values()).await;
                self.end_pools(opened_pools.into_values()).await;
                Err(error)
            }
        }
    }

    /// Opens a socket or a place in JetStream while the host runs, and says where it is.
    async fn open_live(&self, config: &Config, name: &String) -> Result<OpenSocket, String> {
        let place = used(config).remove(name).ok_or_else(|| format!("nothing is named {name}"))?;
        let opened = self.open_place(config, name, &place).await;
        match &opened {
            Ok(opened) => tracing::info!(socket = name, endpoint = opened.surface.endpoint(), "socket opened"),
            // Some of its places it may have had.
            Err(_) if place.bind().len() > 1 => await_left(place.bind().iter().map(ToString::to_string)).await,
            Err(_) => {}
        }
        opened
    }

    async fn end_sockets(&self, sockets: impl IntoIterator<Item = OpenSocket>) {
        for socket in sockets {
            let abandoned = Arc::clone(&socket.surface).end(self.deadline()).await;
            self.surfaces.remove(&socket.surface);
            let endpoint = socket.surface.endpoint();
            // A path is free as soon as its socket has ended.
            if socket.config.socket().is_some_and(|socket| !socket.is_websocket()) {
                await_left(endpoint.split(' ').take(socket.config.bind().len()).map(str::to_owned)).await;
            }
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
        if let Some(source) = &socket.source {
            source.set_inlets(by_socket.remove(name.as_str()).unwrap_or_default());
        }
    }
}

/// Where those are bound that end, as the configuration says it.
fn held(running: &Running, Difference { sockets, pools, .. }: &Difference) -> BTreeSet<String> {
    let sockets = sockets.going.iter().filter_map(|name| running.sockets.get(name)).flat_map(|open| open.config.bind());
    let pools = pools.going.iter().filter_map(|name| running.pools.get(name)).flat_map(|open| &open.config.bind);
    sockets.chain(pools).map(ToString::to_string).collect()
}

/// Whether what binds here can only do so once those are closed that hold these places.
fn makes_wait(bind: &[Endpoint], held: &BTreeSet<String>) -> bool {
    bind.iter().any(|endpoint| held.contains(&endpoint.to_string()))
}

impl Running {
    /// The sockets, pools and flows as they were configured, and the rest as in another configuration.
    fn config(&self, rest: &Config) -> Config {
        let sockets =
            self.sockets.iter().filter_map(|(name, open)| Some((name.clone(), open.config.socket()?.clone())));
        let workers = self.pools.iter().map(|(name, pool)| (name.clone(), pool.config.clone()));
        let flows = self.flows.iter().map(|(name, flow)| (name.clone(), flow.config.clone()));
        let (sockets, workers, flows) = (
            sockets.collect(),
            workers.collect(),
            flows.chain(rest.frontend_flow().map(|(name, flow)| (name.clone(), flow.clone()))).collect(),
        );
        Config { sockets, workers, flows, ..rest.clone() }
    }
}
