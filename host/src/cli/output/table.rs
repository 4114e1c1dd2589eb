//! Rows under their heads, in columns; on a terminal too narrow for that, with cells of several lines, or as a list.

use std::io::{stderr, stdout};
use terminal_size::{Width, terminal_size_of};

/// Between two columns.
const GAP: &str = "  ";
/// A column is not made narrower than this: words would be torn to pieces.
const COLUMN_WIDTH_MIN: usize = 16;

/// The rows under their heads, as wide as stdout takes them; nothing stands behind the last word of a line.
pub(in crate::cli) fn table<const N: usize>(heads: [&str; N], rows: Vec<[String; N]>) -> String {
    tables(&[Section { heads, rows }])
}

/// Tables one below the other in the same columns, as wide as stdout takes them.
pub(in crate::cli) fn tables<const N: usize>(sections: &[Section<'_, N>]) -> String {
    fitted(sections, terminal_size_of(stdout()).map(|(Width(width), _)| width.into()))
}

/// The same, as wide as they are.
pub(in crate::cli) fn wide_tables<const N: usize>(sections: &[Section<'_, N>]) -> String {
    fitted(sections, None)
}

/// Tables one below the other in the same columns, as wide as stderr takes them.
pub(in crate::cli) fn tables_for_stderr<const N: usize>(sections: &[Section<'_, N>]) -> String {
    fitted(sections, terminal_size_of(stderr()).map(|(Width(width), _)| width.into()))
}

/// Rows, and what stands above them.
pub(in crate::cli) struct Section<'a, const N: usize> {
    pub(in crate::cli) heads: [&'a str; N],
    pub(in crate::cli) rows: Vec<[String; N]>,
}

/// In columns if that fits into `width`, if need be with cells of several lines; else as a list. Without a `width`, as in
/// a file or a pipe, all of a row is on one line.
fn fitted<const N: usize>(sections: &[Section<'_, N>], width: Option<usize>) -> String {
    let lines = || {
        sections
            .iter()
            .flat_map(|Section { heads, rows }| std::iter::once(heads.map(str::to_owned)).chain(rows.iter().cloned()))
    };
    let widest = |column: usize| lines().map(|cells| length(&cells[column])).max().unwrap_or_default();
    let natural: [usize; N] = std::array::from_fn(widest);
    match width {
        None => columns(lines(), natural),
        Some(width) => match narrowed(sections, natural, width) {
            Some(widths) => columns(lines(), widths),
            None => sections.iter().map(|section| list(section, width)).collect(),
        },
    }
}

/// The widths at which the columns fit, the widest of them made narrower; none if none would be wide enough.
fn narrowed<const N: usize>(sections: &[Section<'_, N>], mut widths: [usize; N], width: usize) -> Option<[usize; N]> {
    let head = |column: usize| sections.iter().map(|section| length(section.heads[column])).max().unwrap_or_default();
    let least: [usize; N] = std::array::from_fn(|column| head(column).max(COLUMN_WIDTH_MIN));
    while widths.iter().sum::<usize>() + GAP.len() * N.saturating_sub(1) > width {
        let widest = (0..N).filter(|&column| widths[column] > least[column]).max_by_key(|&column| widths[column])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

fn columns<const N: usize>(rows: impl Iterator<Item = [String; N]>, widths: [usize; N]) -> String {
    let mut text = String::new();
    for row in rows {
        let cells: [Vec<String>; N] = std::array::from_fn(|column| wrapped(&row[column], widths[column]));
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
            let cell = |column: usize| cells[column].get(line).map_or("", String::as_str);
            let cells: [String; N] = std::array::from_fn(|column| format!("{:1$}", cell(column), widths[column]));
            text += cells.join(GAP).trim_end();
            text.push('\n');
        }
    }
    text
}

/// Each row as lines of a head and its cell, with an empty line behind it; cells that are empty are left out.
fn list<const N: usize>(Section { heads, rows }: &Section<'_, N>, width: usize) -> String {
    let label_width = heads.iter().map(|head| length(head)).max().unwrap_or_default();
    let cell_width = width.saturating_sub(label_width + GAP.len()).max(COLUMN_WIDTH_MIN);
    let mut text = String::new();
    for row in rows {
        for (head, cell) in heads.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
            for (line, piece) in wrapped(cell, cell_width).iter().enumerate() {
                let label = if line == 0 { head } else { "" };
                text += &format!("{label:label_width$}{GAP}{piece}\n");
            }
        }
        text.push('\n');
    }
    text
}

/// The text in lines of at most `width`, broken at spaces, and within a word that is longer than a line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if length(line) + 1 + length(word) <= width && !line.is_empty() {
            *line += " ";
            *line += word;
            continue;
        }
        if !line.is_empty() {
            lines.push(String::new());
        }
        for letter in word.chars() {
            if length(lines.last().expect("there is one")) == width.max(1) {
                lines.push(String::new());
            }
            lines.last_mut().expect("there is one").push(letter);
        }
    }
    lines
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(width: Option<usize>) -> String {
        let row = |name: &str, reasons: &str| [name.to_owned(), "12".to_owned(), reasons.to_owned()];
        let hops = vec![row("http", "too-many-calls=1 deadline-exceeded=20"), row("publish", "")];
        let plugins = vec![row("a-plugin-with-a-long-name", "trap=1")];
        fitted(
            &[
                Section { heads: ["HOP", "IN", "REASONS"], rows: hops },
                Section { heads: ["PLUGIN", "IN", "REASONS"], rows: plugins },
            ],
            width,
        )
    }

    #[test]
    fn without_a_terminal_a_row_is_a_line() {
        let expected = "\
HOP                        IN  REASONS
http                       12  too-many-calls=1 deadline-exceeded=20
publish                    12
PLUGIN                     IN  REASONS
a-plugin-with-a-long-name  12  trap=1
";
        assert_eq!(fit(None), expected);
        assert_eq!(fit(Some(68)), expected);
    }

    #[test]
    fn long_cells_take_several_lines() {
        let expected = "\
HOP                  IN  REASONS
http                 12  too-many-calls=1
                         deadline-exceeded=2
                         0
publish              12
PLUGIN               IN  REASONS
a-plugin-with-a-lon  12  trap=1
g-name
";
        assert_eq!(fit(Some(44)), expected);
    }

    #[test]
    fn where_no_columns_fit_there_is_a_list() {
        let expected = "\
HOP      http
IN       12
REASONS  too-many-calls=1
         deadline-exceeded=20

HOP      publish
IN       12

PLUGIN   a-plugin-with-a-long-
         name
IN       12
REASONS  trap=1

";
        assert_eq!(fit(Some(30)), expected);
        assert!(fit(Some(1)).contains("too-many-calls=1"), "as wide as words need");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 25..80 {
            let text = fit(Some(width));
            assert!(text.lines().all(|line| length(line) <= width), "{width}: {text}");
        }
    }
}
