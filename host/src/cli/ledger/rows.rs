//! The rows of a ledger that a host told, as tables and lines: totals, or what has changed.

use crate::app::REPORTED_HOPS;
use crate::cli::output::render::one_line;
use crate::cli::output::table::{Section, tables, wide_tables};
use serde_json::{Map, Value};

/// What was counted of one hop or plugin.
struct Row {
    name: String,
    entered: u64,
    out: u64,
    dropped: u64,
    in_flight: u64,
    reasons: String,
}

/// The counts since the start.
pub(super) fn totals(ledger: &Value) -> String {
    let cells = |row: Row| {
        let [entered, out, dropped, in_flight] =
            [row.entered, row.out, row.dropped, row.in_flight].map(|count| count.to_string());
        [row.name, entered, out, dropped, in_flight, row.reasons]
    };
    sockets(ledger) + &tables(&sections(ledger, ["IN", "OUT", "DROPPED", "IN-FLIGHT", "REASONS"], cells))
}

/// A difference as a table of how much it is a second. A row is a line, however narrow the terminal is: the hops are to be seen
/// at once, and what matters most stands first.
pub(super) fn rates(difference: &Value) -> String {
    let seconds = seconds(difference);
    let cells = |row: Row| {
        let [entered, out, dropped] = [row.entered, row.out, row.dropped].map(|count| rate(count, seconds));
        [row.name, entered, out, dropped, row.in_flight.to_string(), row.reasons]
    };
    sockets(difference)
        + &wide_tables(&sections(difference, ["IN/S", "OUT/S", "DROPPED/S", "IN-FLIGHT", "REASONS"], cells))
}

/// A difference as a line for each hop and plugin at which something came, went or is inside.
pub(super) fn lines(difference: &Value, time: &str) -> String {
    let seconds = seconds(difference);
    let mut text = sockets(difference);
    for (kind, part) in [("hop", "hops"), ("plugin", "plugins")] {
        for Row { name, entered, out, dropped, in_flight, reasons } in rows(difference, part) {
            if entered + out + dropped + in_flight > 0 {
                let a_second = rate(entered, seconds);
                let line = format!(
                    "{time} {kind}={name} in={entered} out={out} dropped={dropped} in_flight={in_flight} \
                     in_per_second={a_second} {reasons}"
                );
                text += line.trim_end();
                text.push('\n');
            }
        }
    }
    text
}

/// The hops, and below them the plugins, in columns of the same names.
fn sections<'a>(ledger: &Value, heads: [&'a str; 5], cells: impl Fn(Row) -> [String; 6]) -> Vec<Section<'a, 6>> {
    let [a, b, c, d, e] = heads;
    let section = |head, part| Section {
        heads: [head, a, b, c, d, e],
        rows: rows(ledger, part).into_iter().map(&cells).collect(),
    };
    let both = [section("HOP", "hops"), section("PLUGIN", "plugins")];
    both.into_iter().filter(|section| section.heads[0] == "HOP" || !section.rows.is_empty()).collect()
}

/// The rows of a part, the known hops in the order in which a message meets them.
fn rows(ledger: &Value, part: &str) -> Vec<Row> {
    let empty = Map::new();
    let counts = ledger.get(part).and_then(Value::as_object).unwrap_or(&empty);
    let mut rows: Vec<Row> = counts.iter().map(|(name, counts)| Row::of(name, counts)).collect();
    let place = |name: &str| REPORTED_HOPS.iter().position(|hop| *hop == name).unwrap_or(REPORTED_HOPS.len());
    if part == "hops" {
        rows.sort_by_key(|row| place(&row.name));
    }
    rows
}

impl Row {
    fn of(name: &str, counts: &Value) -> Self {
        let number = |key: &str| counts.get(key).and_then(Value::as_u64).unwrap_or(0);
        let dropped = counts.get("dropped").and_then(Value::as_object).into_iter().flatten();
        let dropped: Vec<_> = dropped.map(|(reason, count)| (reason, count.as_u64().unwrap_or(0))).collect();
        let reasons: Vec<_> = dropped.iter().map(|(reason, count)| format!("{}={count}", one_line(reason))).collect();
        Self {
            name: one_line(name),
            entered: number("in"),
            out: number("out"),
            dropped: dropped.iter().map(|(_, count)| count).sum(),
            in_flight: number("in_flight"),
            reasons: reasons.join(" "),
        }
    }
}

/// What was thrown away with the queues of peers, where something was.
fn sockets(ledger: &Value) -> String {
    let mut lines = String::new();
    for (socket, counts) in ledger.get("sockets").and_then(Value::as_object).into_iter().flatten() {
        for what in ["cut-off", "unread"] {
            let count = counts.get(what).and_then(Value::as_u64).unwrap_or(0);
            if count > 0 {
                let socket = one_line(socket);
                lines += &format!("{what}={count} at {socket}: thrown away with the queues of its peers\n");
            }
        }
    }
    lines
}

fn seconds(difference: &Value) -> f64 {
    difference.get("seconds").and_then(Value::as_f64).unwrap_or(0.0)
}

/// So much a second, with a decimal where it is small.
fn rate(count: u64, seconds: f64) -> String {
    let rate = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    if rate == 0.0 || rate >= 10.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ledger() -> Value {
        json!({
            "seconds": 2.0,
            "hops": {
                "another": {"in": 0, "out": 0, "in_flight": 0, "dropped": {}},
                "http": {"in": 30, "out": 29, "in_flight": 1, "dropped": {}},
                "transform": {"in": 3, "out": 1, "in_flight": 0, "dropped": {"paused": 1, "trapped": 1}},
            },
            "plugins": {"p": {"in": 3, "out": 3, "in_flight": 0, "dropped": {}}},
            "sockets": {"publish": {"cut-off": 7, "unread": 0}},
        })
    }

    #[test]
    fn totals_are_a_table_with_the_hops_in_their_order() {
        let expected = "\
cut-off=7 at publish: thrown away with the queues of its peers
HOP        IN  OUT  DROPPED  IN-FLIGHT  REASONS
http       30  29   0        1
transform  3   1    2        0          paused=1 trapped=1
another    0   0    0        0
PLUGIN     IN  OUT  DROPPED  IN-FLIGHT  REASONS
p          3   3    0        0
";
        assert_eq!(totals(&ledger()), expected);
    }

    #[test]
    fn a_difference_is_told_by_the_second_and_in_lines() {
        assert!(rates(&ledger()).contains("\ntransform  1.5   0.5    1.0        0          paused=1 trapped=1\n"));
        assert!(rates(&ledger()).contains("\nhttp       15    14     0          1\n"), "{}", rates(&ledger()));
        let expected = "\
cut-off=7 at publish: thrown away with the queues of its peers
T hop=http in=30 out=29 dropped=0 in_flight=1 in_per_second=15
T hop=transform in=3 out=1 dropped=2 in_flight=0 in_per_second=1.5 paused=1 trapped=1
T plugin=p in=3 out=3 dropped=0 in_flight=0 in_per_second=1.5
";
        assert_eq!(lines(&ledger(), "T"), expected);
    }
}
