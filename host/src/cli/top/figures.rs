//! The figures of one look: tables of what there is, with how much it does a second.

mod cell;
mod tables;

pub(super) use cell::Cell;

use super::feed::seconds_between;
use crate::cli::output::render::one_line;
use crate::cli::plugin::{items, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tables::{CAPTURES, FLOWS, HOPS, PEERS, PLUGINS, SHADOWS, WORKERS};

/// A column: its name in JSON, its head, and what stands in a row.
pub(super) struct Column {
    pub(super) key: &'static str,
    pub(super) head: &'static str,
    cell: fn(&Row<'_>) -> Cell,
}

/// A kind of table.
pub(super) struct Kind {
    /// Its name in JSON.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) columns: &'static [Column],
    rows: fn(&Value) -> Vec<(String, Value)>,
    /// By what it is sorted where nobody says.
    pub(super) sorted_by: &'static str,
}

/// What a row is made of.
pub(super) struct Row<'a> {
    name: &'a str,
    now: &'a Value,
    earlier: Option<&'a Value>,
    /// The seconds between the two.
    seconds: Option<f64>,
}

/// All tables, in the order in which they are shown.
pub(super) const KINDS: [&Kind; 7] = [&PLUGINS, &HOPS, &FLOWS, &WORKERS, &PEERS, &SHADOWS, &CAPTURES];

/// One table.
pub(super) struct Table {
    pub(super) kind: &'static Kind,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// All that is shown of one look.
pub(super) struct Figures {
    /// Whether the host is ready, and what it takes of the machine.
    pub(super) head: String,
    /// What keeps it from being ready, or is worth a look.
    pub(super) complaints: Vec<String>,
    pub(super) tables: Vec<Table>,
    time: String,
    seconds: Option<f64>,
}

impl Figures {
    /// Of what a host does now, and did at the look before.
    pub(super) fn new(now: &Value, earlier: Option<&Value>) -> Self {
        let seconds = earlier.and_then(|earlier| seconds_between(earlier, now));
        let earlier = earlier.filter(|_| seconds.is_some());
        let host = &now["host"];
        let complaints = ["obstacles", "notices"].into_iter().flat_map(|key| items(host, key));
        Self {
            head: head(host, earlier.map(|earlier| &earlier["host"]), seconds),
            complaints: complaints.filter_map(Value::as_str).map(one_line).collect(),
            tables: KINDS.map(|kind| Table::new(kind, now, earlier, seconds)).into(),
            time: text(host, "time").to_owned(),
            seconds,
        }
    }

    /// Sorts each table by this column, if it has it, else by its own.
    pub(super) fn sort_all(&mut self, column: Option<&str>) {
        for table in &mut self.tables {
            table.sort(column.unwrap_or(table.kind.sorted_by), false);
        }
    }

    /// All of it, for programs: in each table a list of rows, each with a value under the name of each column.
    pub(super) fn json(&self) -> Value {
        let rows = |table: &Table| {
            let named = |row: &Vec<Cell>| {
                let cells = table.kind.columns.iter().zip(row).filter(|(_, cell)| **cell != Cell::Missing);
                cells.map(|(column, cell)| (column.key.to_owned(), cell.json())).collect::<Map<_, _>>()
            };
            table.rows.iter().map(named).collect::<Vec<_>>()
        };
        let mut all = json!({"time": self.time, "seconds": self.seconds, "complaints": self.complaints});
        for table in &self.tables {
            all[table.kind.name] = json!(rows(table));
        }
        all
    }
}

impl Table {
    fn new(kind: &'static Kind, now: &Value, earlier: Option<&Value>, seconds: Option<f64>) -> Self {
        let before: Map<String, Value> = earlier.map(|earlier| (kind.rows)(earlier)).into_iter().flatten().collect();
        let row = |(name, value): (String, Value)| {
            let row = Row { name: &name, now: &value, earlier: before.get(&name), seconds };
            kind.columns.iter().map(|column| (column.cell)(&row)).collect()
        };
        Self { kind, rows: (kind.rows)(now).into_iter().map(row).collect() }
    }

    /// Sorts by a column: numbers with the greatest first, texts by the alphabet, and the other way round if it is to be
    /// `reversed`; what is missing stands below. A column that it has not changes nothing.
    pub(super) fn sort(&mut self, column: &str, reversed: bool) {
        let Some(at) = self.kind.columns.iter().position(|known| known.key == column) else { return };
        self.rows.sort_by(|a, b| match a[at].compare(&b[at]) {
            order if reversed && a[at] != Cell::Missing && b[at] != Cell::Missing => order.reverse(),
            order => order,
        });
    }
}

impl Row<'_> {
    /// The number at a place, such as `/counts/in`.
    fn number(&self, place: &str) -> Option<f64> {
        self.now.pointer(place).and_then(Value::as_f64)
    }

    /// How much more that is than at the look before, by the second. What was not there then has counted from nothing.
    fn rate(&self, place: &str) -> Cell {
        self.rate_of(|value| value.pointer(place).and_then(Value::as_f64))
    }

    /// The same of all that was dropped.
    fn drop_rate(&self) -> Cell {
        self.rate_of(|value| Some(dropped(value)))
    }

    fn rate_of(&self, number: impl Fn(&Value) -> Option<f64>) -> Cell {
        let (Some(now), Some(seconds)) = (number(self.now), self.seconds) else { return Cell::Missing };
        let before = self.earlier.and_then(&number).unwrap_or(0.0);
        Cell::Rate((now - before).max(0.0) / seconds)
    }

    fn count(&self, place: &str) -> Cell {
        self.number(place).map_or(Cell::Missing, Cell::Count)
    }

    fn text(&self, place: &str) -> Cell {
        let text = self.now.pointer(place).and_then(Value::as_str);
        // What a peer or a plugin says of itself steers no terminal.
        text.map_or(Cell::Missing, |text| Cell::Text(one_line(text)))
    }
}

/// All that was dropped at a hop, for whatever reason.
fn dropped(value: &Value) -> f64 {
    let reasons = value.pointer("/counts/dropped").and_then(Value::as_object);
    // Of whole numbers: the sum of no fractions at all is -0.
    reasons.into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum::<u64>() as f64
}

fn head(host: &Value, earlier: Option<&Value>, seconds: Option<f64>) -> String {
    let state = match (host["draining"].as_bool(), host["ready"].as_bool()) {
        (Some(true), _) => "draining",
        (_, Some(true)) => "ready",
        _ => "not ready",
    };
    let mut head = format!("tidegate {} {state} since {}", text(host, "version"), text(host, "since"));
    let cpu = |host: &Value| host["cpu_ms"].as_f64();
    if let (Some(now), Some(before), Some(seconds)) = (cpu(host), earlier.and_then(cpu), seconds) {
        head += &format!("  cpu {:.0}%", (now - before).max(0.0) / seconds / 10.0);
    }
    if let Some(bytes) = host["memory_bytes"].as_f64() {
        head += &format!("  memory {}", Cell::Bytes(bytes));
    }
    one_line(&head)
}

/// The names of all columns, each once.
pub(super) fn column_keys() -> BTreeSet<&'static str> {
    KINDS.iter().flat_map(|kind| kind.columns).map(|column| column.key).collect()
}
