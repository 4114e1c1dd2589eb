//! One look as text: what keeps the host from being ready, and its tables one below the other.

use super::figures::{Figures, Table};
use ratatui::text::Span;

/// Between two columns.
const GAP: &str = "  ";

/// All tables that have rows.
pub(super) fn all(figures: &Figures) -> String {
    let mut text = format!("{}\n", figures.head);
    figures.complaints.iter().for_each(|complaint| text += &format!("{complaint}\n"));
    for table in figures.tables.iter().filter(|table| !table.rows.is_empty()) {
        text += &format!("\n{}", lines(table));
    }
    text
}

/// The rows below their heads, a line each, numbers at the right of their columns.
fn lines(table: &Table) -> String {
    let widths = widths(table);
    let heads =
        table.kind.columns.iter().enumerate().map(|(at, column)| padded(column.head, widths[at], is_right(table, at)));
    let mut lines = vec![heads.collect::<Vec<_>>()];
    lines.extend(table.rows.iter().map(|row| {
        row.iter().enumerate().map(|(at, cell)| padded(&cell.to_string(), widths[at], is_right(table, at))).collect()
    }));
    lines.iter().map(|cells| format!("{}\n", cells.join(GAP).trim_end())).collect()
}

/// How wide each column is at least, to show all of it.
pub(super) fn widths(table: &Table) -> Vec<usize> {
    let widest = |at: usize, head: &str| {
        let cells = table.rows.iter().map(|row| width(&row[at].to_string()));
        cells.max().unwrap_or_default().max(width(head))
    };
    table.kind.columns.iter().enumerate().map(|(at, column)| widest(at, column.head)).collect()
}

/// Whether a column has numbers.
pub(super) fn is_right(table: &Table, at: usize) -> bool {
    table.rows.iter().any(|row| row[at].is_number())
}

fn padded(text: &str, columns: usize, is_right: bool) -> String {
    let room = " ".repeat(columns.saturating_sub(width(text)));
    if is_right { room + text } else { text.to_owned() + &room }
}

/// How many columns of a terminal a text takes: some letters take two, and some none.
fn width(text: &str) -> usize {
    Span::raw(text).width()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_stand_below_each_other_whatever_is_written_in_them() {
        let counts = json!({"in": 5, "out": 5, "in_flight": 0, "dropped": {}});
        let text = all(&Figures::new(&json!({"hops": {"流れ": counts, "e\u{301}t": counts, "plain": counts}}), None));
        let rows: Vec<_> = text.lines().filter(|line| line.contains(" 5 ")).collect();
        let places: Vec<_> = rows.iter().map(|row| row.find(" 5 ").map(|at| width(&row[..at]))).collect();
        assert!(places.len() == 3 && places.iter().all(|place| *place == places[0]), "{text}");
    }
}
