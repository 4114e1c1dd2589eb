//! What stands in a cell of a table: a number with its unit, or a text; as people and as programs read it.

use crate::cli::output::differences;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::fmt;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli::top) enum Cell {
    Text(String),
    Count(f64),
    /// By the second.
    Rate(f64),
    Microseconds(f64),
    Milliseconds(f64),
    Bytes(f64),
    /// So many of so many.
    Share(u64, u64),
    Missing,
}

impl Cell {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Count(number)
            | Self::Rate(number)
            | Self::Microseconds(number)
            | Self::Milliseconds(number)
            | Self::Bytes(number) => Some(*number),
            Self::Share(part, whole) => Some(percent(*part, *whole)),
            Self::Text(_) | Self::Missing => None,
        }
    }

    /// Whether it stands at the right of its column.
    pub(in crate::cli::top) fn is_number(&self) -> bool {
        self.number().is_some()
    }

    /// The greatest number first, texts by the alphabet, and what is missing at the end.
    pub(in crate::cli::top) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => b.total_cmp(&a),
                _ => a.place().cmp(&b.place()),
            },
        }
    }

    /// Where cells of its kind stand.
    fn place(&self) -> u8 {
        match self {
            Self::Missing => 2,
            Self::Text(_) => 1,
            _ => 0,
        }
    }

    pub(in crate::cli::top) fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Count(count) | Self::Bytes(count) => json!(*count as u64),
            Self::Rate(number) | Self::Microseconds(number) | Self::Milliseconds(number) => {
                json!((number * 1_000.0).round() / 1_000.0)
            }
            // A few of a million are told from none.
            Self::Share(part, whole) => json!(percent(*part, *whole)),
            Self::Missing => Value::Null,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count:.0}"),
            Self::Rate(rate) if *rate == 0.0 || *rate >= 10.0 => write!(f, "{rate:.0}"),
            Self::Rate(rate) => write!(f, "{rate:.1}"),
            Self::Microseconds(us) => scaled(f, *us, 1_000.0, &["µs", "ms", "s"]),
            Self::Milliseconds(ms) => scaled(f, *ms, 1_000.0, &["ms", "s"]),
            Self::Bytes(bytes) => scaled(f, *bytes, 1_024.0, &["B", "KiB", "MiB", "GiB", "TiB"]),
            Self::Share(part, whole) => f.write_str(&differences::percent(*part, *whole)),
            Self::Missing => f.write_str("-"),
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// The number in the largest unit of which it is at least one.
fn scaled(f: &mut fmt::Formatter<'_>, mut number: f64, step: f64, units: &[&str]) -> fmt::Result {
    let mut units = units.iter().peekable();
    let mut is_scaled = false;
    while let Some(unit) = units.next() {
        if number < step || units.peek().is_none() {
            let decimals = usize::from(is_scaled && number < 100.0);
            return write!(f, "{number:.decimals$}{unit}");
        }
        number /= step;
        is_scaled = true;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_unit_in_which_they_are_short() {
        for (cell, expected) in [
            (Cell::Microseconds(7.4), "7µs"),
            (Cell::Microseconds(12_340.0), "12.3ms"),
            (Cell::Microseconds(2_500_000.0), "2.5s"),
            (Cell::Milliseconds(90_000.0), "90.0s"),
            (Cell::Bytes(512.0), "512B"),
            (Cell::Bytes(65_536.0), "64.0KiB"),
            (Cell::Bytes(5_e15), "4547TiB"),
            (Cell::Rate(0.0), "0"),
            (Cell::Rate(3.21), "3.2"),
            (Cell::Rate(12_345.6), "12346"),
            (Cell::Share(1, 1_000_000), "0.00010 %"),
            (Cell::Missing, "-"),
        ] {
            assert_eq!(cell.to_string(), expected);
        }
    }

    #[test]
    fn the_greatest_comes_first_and_what_is_missing_last() {
        let mut cells = vec![Cell::Missing, Cell::Count(1.0), Cell::Count(3.0), Cell::Missing, Cell::Count(2.0)];
        cells.sort_by(Cell::compare);
        assert_eq!(cells, [Cell::Count(3.0), Cell::Count(2.0), Cell::Count(1.0), Cell::Missing, Cell::Missing]);
        let mut texts = vec![Cell::Missing, Cell::Text("b".to_owned()), Cell::Text("a".to_owned())];
        texts.sort_by(Cell::compare);
        assert_eq!(texts, [Cell::Text("a".to_owned()), Cell::Text("b".to_owned()), Cell::Missing]);
    }
}
