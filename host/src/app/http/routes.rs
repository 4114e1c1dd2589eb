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

/// The hops of `[routes]`.
pub(super) fn hops(routes: &BTreeMap<String, config::Route>, ledger: &Ledger) -> Vec<Arc<Hop>> {
    routes
        .iter()
        .flat_map(|(name, route)| {
            // First in the report too.
            let hop = ledger.hop(&hop_name(name));
            let stops = stops(name, route, ledger).into_iter().filter_map(|stop| stop.hop);
            std::iter::once(hop).chain(stops)
        })
        .collect()
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
    let has_token = builder.config.http.token_file.is_some();
    let table = RouteTable::new(Arc::clone(&builder.slots), plain);
    let configured = builder.config.routes.iter().map(|(name, route)| Route {
        name: name.clone(),
        through: stops(name, route, &builder.ledger),
        sinks: sinks(&builder.sinks, route.to.as_deref().unwrap_or(&publish), name),
        hop: builder.ledger.hop(&hop_name(name)),
        options: RouteOptions::of(route, has_token),
    });
    table.configure(configured.collect());
    Arc::new(table)
}

fn hop_name(route: &str) -> String {
    format!("routes.{route}")
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
