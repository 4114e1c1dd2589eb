//! The tables: what their rows are, and their columns, those first that matter most where there is little room.

use super::{Cell, Column, Kind, Row};
use crate::cli::plugin::{items, text};
use serde_json::{Value, json};

/// The plugins.
pub(super) const PLUGINS: Kind = Kind {
    name: "plugins",
    title: "Plugins",
    rows: |overview| entries(overview, "/plugins"),
    sorted_by: "calls_per_second",
    columns: &[
        column("plugin", "PLUGIN", name),
        column("calls_per_second", "CALLS/S", |row| row.rate("/counts/in")),
        column("failures_per_second", "FAIL/S", |row| row.drop_rate()),
        column("p50_us", "P50", |row| latency(row, "p50_us")),
        column("p99_us", "P99", |row| latency(row, "p99_us")),
        column("in_flight", "IN FLIGHT", |row| row.count("/counts/in_flight")),
        column("state", "STATE", |row| row.text("/state")),
        column("generation", "GEN", |row| row.count("/generation")),
        column("memory_bytes", "MEMORY", |row| {
            row.number("/memory_bytes_high_water").map_or(Cell::Missing, Cell::Bytes)
        }),
        column("calls", "CALLS", |row| row.count("/counts/in")),
        column("failures", "FAILED", |row| Cell::Count(super::dropped(row.now))),
        column("instances", "INSTANCES", |row| row.text("/instances")),
    ],
};

/// The hops of the ledger.
pub(super) const HOPS: Kind = Kind {
    name: "hops",
    title: "Hops",
    rows: hops,
    sorted_by: "in_per_second",
    columns: &[
        column("hop", "HOP", name),
        column("in_per_second", "IN/S", |row| row.rate("/counts/in")),
        column("out_per_second", "OUT/S", |row| row.rate("/counts/out")),
        column("dropped_per_second", "DROPPED/S", |row| row.drop_rate()),
        column("in_flight", "IN FLIGHT", |row| row.count("/counts/in_flight")),
        column("dropped", "DROPPED", |row| Cell::Count(super::dropped(row.now))),
        column("in", "IN", |row| row.count("/counts/in")),
        column("out", "OUT", |row| row.count("/counts/out")),
        column("reasons", "REASONS", reasons),
    ],
};

/// The flows, and the routes of the configuration.
pub(super) const FLOWS: Kind = Kind {
    name: "flows",
    title: "Flows",
    rows: |overview| [ways(overview, "/flows"), ways(overview, "/routes"), frontend_flow(overview)].concat(),
    sorted_by: "in_per_second",
    columns: &[
        column("flow", "FLOW", name),
        column("in_per_second", "IN/S", |row| row.rate("/counts/in")),
        column("out_per_second", "OUT/S", |row| row.rate("/counts/out")),
        column("dropped_per_second", "DROPPED/S", |row| row.drop_rate()),
        column("in_flight", "IN FLIGHT", |row| row.count("/counts/in_flight")),
        column("waiting", "WAITING", |row| row.count("/waiting")),
        column("state", "STATE", |row| row.text("/state")),
        column("path", "PATH", path),
    ],
};

/// The workers of all pools.
pub(super) const WORKERS: Kind = Kind {
    name: "workers",
    title: "Workers",
    rows: |overview| below(overview, "/pools", "/workers", "pool"),
    sorted_by: "done_per_second",
    columns: &[
        column("pool", "POOL", |row| row.text("/pool")),
        column("worker", "WORKER", |row| row.text("/number")),
        column("done_per_second", "DONE/S", |row| row.rate("/done")),
        column("state", "STATE", |row| row.text("/state")),
        column("in_flight", "IN FLIGHT", |row| row.count("/in_flight")),
        column("mean_us", "MEAN", |row| row.number("/mean_us").map_or(Cell::Missing, Cell::Microseconds)),
        column("silent_ms", "SILENT", |row| row.number("/silent_ms").map_or(Cell::Missing, Cell::Milliseconds)),
        column("done", "DONE", |row| row.count("/done")),
        column("protocol", "PROTOCOL", |row| row.text("/protocol")),
        column("identity", "IDENTITY", |row| row.text("/identity")),
        column("address", "ADDRESS", |row| row.text("/address")),
        column("key", "KEY", |row| row.text("/key")),
    ],
};

/// Who is connected.
pub(super) const PEERS: Kind = Kind {
    name: "peers",
    title: "Peers",
    rows: |overview| below(overview, "/peers", "/peers", "surface"),
    sorted_by: "queue_bytes",
    columns: &[
        column("surface", "SURFACE", |row| row.text("/surface")),
        column("address", "ADDRESS", |row| row.text("/address")),
        column("queue_messages", "QUEUED", |row| row.count("/queue_messages")),
        column("queue_bytes", "BYTES", |row| row.number("/queue_bytes").map_or(Cell::Missing, Cell::Bytes)),
        column("subscriptions", "SUBSCRIBED", |row| row.count("/subscriptions")),
        column("connected_at", "SINCE", |row| row.text("/connected_at")),
        column("identity", "IDENTITY", |row| row.text("/identity")),
        column("key_name", "KEY NAME", |row| row.text("/key_name")),
        column("protocol", "PROTOCOL", |row| row.text("/protocol")),
        column("subprotocol", "SUBPROTOCOL", |row| row.text("/subprotocol")),
        column("key", "KEY", |row| row.text("/key")),
    ],
};

/// The shadows beside plugins: those that run, and the last that have ended.
pub(super) const SHADOWS: Kind = Kind {
    name: "shadows",
    title: "Shadows",
    rows: |overview| entries(overview, "/shadows"),
    sorted_by: "differ_percent",
    columns: &[
        column("plugin", "SHADOW BESIDE", name),
        column("state", "STATE", |row| row.text("/state")),
        column("compared_per_second", "CALLS/S", |row| row.rate("/compared")),
        column("compared", "COMPARED", |row| row.count("/compared")),
        column("differing", "DIFFER", |row| row.count("/differing")),
        column("differ_percent", "SHARE", differing),
        column("dropped", "DROPPED", |row| row.count("/dropped")),
        column("may_serve", "MAY SERVE", |row| yes_or_no(row, "/may_serve")),
        column("p50_us", "P50", |row| row.number("/p50_us").map_or(Cell::Missing, Cell::Microseconds)),
        column("p99_us", "P99", |row| row.number("/p99_us").map_or(Cell::Missing, Cell::Microseconds)),
        column("why", "WHY", why),
    ],
};

/// The captures that run.
pub(super) const CAPTURES: Kind = Kind {
    name: "captures",
    title: "Captures",
    rows: |overview| {
        let captures = entries(overview, "/captures").into_iter();
        captures.filter(|(_, capture)| capture["state"] == "running").collect()
    },
    sorted_by: "records_per_second",
    columns: &[
        column("capture", "CAPTURE", name),
        column("records_per_second", "RECORDS/S", |row| row.rate("/records")),
        column("records", "RECORDS", |row| row.count("/records")),
        column("dropped", "DROPPED", |row| row.count("/dropped")),
        column("bytes", "BYTES", |row| row.number("/bytes").map_or(Cell::Missing, Cell::Bytes)),
        column("bytes_max", "OF", |row| row.number("/bytes_max").map_or(Cell::Missing, Cell::Bytes)),
        column("file", "FILE", |row| row.text("/file")),
        column("obstacle", "OBSTACLE", |row| row.text("/obstacle")),
    ],
};

const fn column(key: &'static str, head: &'static str, cell: fn(&Row<'_>) -> Cell) -> Column {
    Column { key, head, cell }
}

fn name(row: &Row<'_>) -> Cell {
    Cell::Text(super::one_line(row.name))
}

/// Of the last seconds; where nothing was called in them there is none.
fn latency(row: &Row<'_>, percentile: &str) -> Cell {
    row.number(&format!("/latency/recent/{percentile}")).map_or(Cell::Missing, Cell::Microseconds)
}

fn reasons(row: &Row<'_>) -> Cell {
    let reasons = row.now.pointer("/counts/dropped").and_then(Value::as_object);
    let reasons: Vec<_> =
        reasons.into_iter().flatten().map(|(reason, count)| format!("{}={count}", super::one_line(reason))).collect();
    if reasons.is_empty() { Cell::Missing } else { Cell::Text(reasons.join(" ")) }
}

fn differing(row: &Row<'_>) -> Cell {
    let count = |place: &str| row.now.pointer(place).and_then(Value::as_u64);
    match (count("/differing"), count("/compared")) {
        (Some(differing), Some(compared)) if compared > 0 => Cell::Share(differing, compared),
        _ => Cell::Missing,
    }
}

fn yes_or_no(row: &Row<'_>, place: &str) -> Cell {
    let word = |is| if is { "yes" } else { "no" };
    row.now.pointer(place).and_then(Value::as_bool).map_or(Cell::Missing, |is| Cell::Text(word(is).to_owned()))
}

/// Why a shadow has ended, or may not serve.
fn why(row: &Row<'_>) -> Cell {
    match row.text("/why") {
        Cell::Missing => row.text("/obstacle"),
        why => why,
    }
}

/// `ticks → parse → publish, archive`
fn path(row: &Row<'_>) -> Cell {
    let names = |key: &str| {
        let names: Vec<_> = items(row.now, key).iter().filter_map(Value::as_str).collect();
        names.join(", ")
    };
    let through = items(row.now, "through").iter().map(|step| text(step, "name").to_owned());
    let steps = std::iter::once(names("from")).chain(through).chain([names("to")]);
    let steps: Vec<_> = steps.filter(|step| !step.is_empty()).collect();
    Cell::Text(super::one_line(&steps.join(" → ")))
}

/// What stands at a place, with its names.
fn entries(overview: &Value, place: &str) -> Vec<(String, Value)> {
    let entries = overview.pointer(place).and_then(Value::as_object);
    entries.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The hops, with their counts where those of others stand.
fn hops(overview: &Value) -> Vec<(String, Value)> {
    let hops = entries(overview, "/hops").into_iter();
    hops.map(|(name, counts)| (name, json!({ "counts": counts }))).collect()
}

/// The ways from sockets or requests to sinks, under the names of their hops. A route that shares its hop with others has
/// no counts of its own.
fn ways(overview: &Value, place: &str) -> Vec<(String, Value)> {
    let prefix = format!("{}.", place.trim_start_matches('/'));
    let ways = entries(overview, place).into_iter().filter_map(move |(_, mut way)| {
        let hop = text(&way, "hop").to_owned();
        way["counts"] = overview["hops"][&hop].clone();
        hop.starts_with(&prefix).then_some((hop, way))
    });
    ways.collect()
}

/// The flow that answers the frontend, if one does, with the counts of its calls. It is no surface of its own.
fn frontend_flow(overview: &Value) -> Vec<(String, Value)> {
    let frontend = &overview["frontend"];
    let row = |flow: &str| {
        let counts = &overview["hops"]["policy"];
        let way = json!({"from": ["frontend"], "through": frontend["through"], "to": ["frontend"], "counts": counts});
        (format!("flows.{flow}"), way)
    };
    frontend["flow"].as_str().map(row).into_iter().collect()
}

/// What stands at a place in each thing of another one, with the name of that thing and its own number.
fn below(overview: &Value, of: &str, place: &str, named: &str) -> Vec<(String, Value)> {
    let row = |thing: &str, (number, mut value): (String, Value)| {
        value[named] = thing.into();
        value["number"] = number.as_str().into();
        (format!("{thing} {number}"), value)
    };
    let things = entries(overview, of).into_iter();
    things.flat_map(|(thing, all)| entries(&all, place).into_iter().map(move |entry| row(&thing, entry))).collect()
}
