//! The routes of the HTTP surface, as configured: their steps, hops and sinks.

use super::TRANSFORM;
use crate::app::builder::Builder;
use crate::app::pools::Pools;
use crate::config::{self, Config, PUBLISH, pool_of};
use crate::flow::{Recording, Sink, Taps};
use crate::http::route::{Route, RouteOptions, RouteTable, Step, Stop, hop_name, step_hop_name};
use crate::ledger::{Hop, Ledger};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes the hops of `[routes]`, that of each before those of its steps, so that the report has them in this order.
pub(super) fn make_hops(routes: &BTreeMap<String, config::Route>, ledger: &Ledger) {
    for (name, route) in routes {
        ledger.hop(&hop_name(name));
        hops_of_steps(name, route, ledger);
    }
}

/// The hops of all routes that there are or were, and of the pools of workers that they lead through.
pub(super) fn hops(ledger: &Ledger) -> impl Iterator<Item = Arc<Hop>> {
    let prefix = hop_name("");
    let is_one = move |name: &str| name.starts_with(&prefix) || pool_of(name).is_some();
    ledger.hops().into_iter().filter(move |(name, _)| is_one(name)).map(|(_, hop)| hop)
}

/// All routes: those of `[routes]`, and one for each plugin that has none there. They are made at the first call, when all
/// sinks are known.
pub(in crate::app) fn table(builder: &mut Builder) -> Arc<RouteTable> {
    let made = builder.routes.take().unwrap_or_else(|| make(builder));
    Arc::clone(builder.routes.insert(made))
}

fn make(builder: &Builder) -> Arc<RouteTable> {
    let named = builder.config.sinks_named([PUBLISH]);
    let plain = Route {
        sinks: sinks(&builder.sinks, &named, ""),
        hop: builder.ledger.hop(TRANSFORM),
        taps: builder.taps.clone(),
        recording: builder.recording.clone(),
        ..Route::default()
    };
    let table = Arc::new(RouteTable::new(Arc::clone(&builder.slots), plain));
    RoutesInForce::new(builder, Arc::clone(&table)).configure(&builder.config, &builder.sinks);
    table
}

/// The routes of `[routes]`, which may become others while the host runs.
pub(in crate::app) struct RoutesInForce {
    table: Arc<RouteTable>,
    ledger: Ledger,
    pools: Pools,
    taps: Taps,
    recording: Recording,
    has_token: bool,
}

impl RoutesInForce {
    /// Those in a table.
    pub(in crate::app) fn new(builder: &Builder, table: Arc<RouteTable>) -> Self {
        let has_token = builder.config.http.token_file.is_some();
        let (ledger, pools, taps) = (builder.ledger.clone(), builder.pools.clone(), builder.taps.clone());
        let recording = builder.recording.clone();
        Self { table, ledger, pools, taps, recording, has_token }
    }

    /// Replaces all of them by those of a configuration. What comes out of them goes to those of `sinks` that they name.
    pub(in crate::app) fn configure(&self, config: &Config, sinks: &[Arc<dyn Sink>]) {
        let configured = config.routes.iter().map(|(name, route)| Route {
            name: name.clone(),
            through: self.stops(config, name, route),
            sinks: self::sinks(sinks, &config.route_sinks(name), name),
            hop: self.ledger.hop(&hop_name(name)),
            taps: self.taps.clone(),
            recording: self.recording.clone(),
            options: RouteOptions::of(route, self.has_token),
        });
        self.table.configure(configured.collect());
    }

    fn stops(&self, config: &Config, name: &str, route: &config::Route) -> Vec<Stop> {
        let step = |step: &str| match pool_of(step).and_then(|pool| Some((pool, config.workers.get(pool)?))) {
            Some((name, pool)) => Step::OfHost(self.pools.host_stage(name, pool.answer_bytes_max)),
            None => Step::Plugin(step.to_owned()),
        };
        let hops = hops_of_steps(name, route, &self.ledger);
        config.route_through(name).into_iter().zip(hops).map(|(name, hop)| Stop { step: step(name), hop }).collect()
    }
}

/// The hop of each step, where a route has several.
fn hops_of_steps(name: &str, route: &config::Route, ledger: &Ledger) -> Vec<Option<Arc<Hop>>> {
    match &route.through[..] {
        [] | [_] => vec![None],
        several => several.iter().map(|step| Some(ledger.hop(&step_hop_name(name, step)))).collect(),
    }
}

/// The sinks of these names.
fn sinks(all: &[Arc<dyn Sink>], names: &[&str], route: &str) -> Vec<Arc<dyn Sink>> {
    let named = |name: &&str| {
        let sink = all.iter().find(|sink| sink.name() == *name);
        if sink.is_none() {
            tracing::warn!("routes.{route}.to: no socket `{name}` takes messages; what comes out does not go there");
        }
        sink.cloned()
    };
    names.iter().filter_map(named).collect()
}
