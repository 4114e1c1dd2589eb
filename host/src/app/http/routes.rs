//! The routes of the HTTP surface, as configured: their plugins, hops and sinks.

use super::TRANSFORM;
use crate::app::builder::Builder;
use crate::config;
use crate::flow::Sink;
use crate::http::route::{Route, RouteOptions, RouteTable, Stop};
use crate::ledger::{Hop, Ledger};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where what comes out of a route goes that does not say so.
const DEFAULT_SINK: &str = "publish";

/// What the names of all hops of `[routes]` begin with.
const HOPS: &str = "routes.";

/// Makes the hops of `[routes]`, that of each before those of its plugins, so that the report has them in this order.
pub(super) fn make_hops(routes: &BTreeMap<String, config::Route>, ledger: &Ledger) {
    for (name, route) in routes {
        ledger.hop(&hop_name(name));
        stops(name, route, ledger);
    }
}

/// The hops of all routes that there are or were.
pub(super) fn hops(ledger: &Ledger) -> impl Iterator<Item = Arc<Hop>> {
    ledger.hops().into_iter().filter(|(name, _)| name.starts_with(HOPS)).map(|(_, hop)| hop)
}

/// All routes: those of `[routes]`, and one for each plugin that has none there. They are made at the first call, when all
/// sinks are known.
pub(in crate::app) fn table(builder: &mut Builder) -> Arc<RouteTable> {
    let made = builder.routes.take().unwrap_or_else(|| make(builder));
    Arc::clone(builder.routes.insert(made))
}

fn make(builder: &Builder) -> Arc<RouteTable> {
    let publish = [DEFAULT_SINK.to_owned()];
    let plain =
        Route { sinks: sinks(&builder.sinks, &publish, ""), hop: builder.ledger.hop(TRANSFORM), ..Route::default() };
    let table = Arc::new(RouteTable::new(Arc::clone(&builder.slots), plain));
    RoutesInForce::new(builder, Arc::clone(&table)).configure(&builder.config.routes, &builder.sinks);
    table
}

/// The routes of `[routes]`, which may become others while the host runs.
pub(in crate::app) struct RoutesInForce {
    table: Arc<RouteTable>,
    ledger: Ledger,
    has_token: bool,
}

impl RoutesInForce {
    /// Those in a table.
    pub(in crate::app) fn new(builder: &Builder, table: Arc<RouteTable>) -> Self {
        let has_token = builder.config.http.token_file.is_some();
        Self { table, ledger: builder.ledger.clone(), has_token }
    }

    /// Replaces all of them. What comes out of them goes to those of `sinks` that they name.
    pub(in crate::app) fn configure(&self, routes: &BTreeMap<String, config::Route>, sinks: &[Arc<dyn Sink>]) {
        let publish = [DEFAULT_SINK.to_owned()];
        let configured = routes.iter().map(|(name, route)| Route {
            name: name.clone(),
            through: stops(name, route, &self.ledger),
            sinks: self::sinks(sinks, route.to.as_deref().unwrap_or(&publish), name),
            hop: self.ledger.hop(&hop_name(name)),
            options: RouteOptions::of(route, self.has_token),
        });
        self.table.configure(configured.collect());
    }
}

fn hop_name(route: &str) -> String {
    format!("{HOPS}{route}")
}

fn stops(name: &str, route: &config::Route, ledger: &Ledger) -> Vec<Stop> {
    match &route.through[..] {
        [] => vec![Stop { plugin: name.to_owned(), hop: None }],
        [plugin] => vec![Stop { plugin: plugin.clone(), hop: None }],
        several => several
            .iter()
            .map(|plugin| {
                let hop = ledger.hop(&format!("{}.{plugin}", hop_name(name)));
                Stop { plugin: plugin.clone(), hop: Some(hop) }
            })
            .collect(),
    }
}

/// The sinks of these names. A socket that is switched off is none.
fn sinks(all: &[Arc<dyn Sink>], names: &[String], route: &str) -> Vec<Arc<dyn Sink>> {
    let named = |name: &String| {
        let sink = all.iter().find(|sink| sink.name() == name);
        if sink.is_none() && name != DEFAULT_SINK {
            tracing::warn!("routes.{route}.to: no socket `{name}` takes messages; what comes out does not go there");
        }
        sink.cloned()
    };
    names.iter().filter_map(named).collect()
}
