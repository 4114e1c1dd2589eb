//! What stands on the screen: which table, how it is sorted, how far it is scrolled; and what keys change of that.

use super::figures::{Cell, Figures, KINDS, Kind, Table};
use super::lines::{is_right, widths};
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::termion::event::Key;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{self, Paragraph, Row};

const KEYS: &str = "q quit  tab next table  s sort by  r reverse  ↑↓ scroll";
const GAP: u16 = 2;
/// A column is not made narrower than this.
const NAME_WIDTH_MIN: u16 = 8;

/// What the user has chosen.
pub(super) struct View {
    figures: Option<Figures>,
    /// Why nothing new comes.
    trouble: Option<String>,
    table: usize,
    /// For each table the column by which it is sorted.
    sorted_by: [usize; KINDS.len()],
    reversed: [bool; KINDS.len()],
    scrolled: usize,
}

impl View {
    /// Of nothing yet; each table is sorted by this column if it has it.
    pub(super) fn new(sort: Option<&str>) -> Self {
        let sorted_by = KINDS.map(|kind| {
            let place = |key: &str| kind.columns.iter().position(|column| column.key == key);
            sort.and_then(place).or_else(|| place(kind.sorted_by)).unwrap_or_default()
        });
        // Whoever names a column wants to see it.
        let has = |kind: &&Kind| sort.is_some_and(|sort| kind.columns.iter().any(|known| known.key == sort));
        let table = KINDS.iter().position(has).unwrap_or_default();
        Self { figures: None, trouble: None, table, sorted_by, reversed: [false; KINDS.len()], scrolled: 0 }
    }

    /// What was seen last.
    pub(super) fn show(&mut self, figures: Figures) {
        self.figures = Some(figures);
        self.trouble = None;
        self.sort();
    }

    /// Why nothing new comes. What was seen last stays.
    pub(super) fn complain(&mut self, trouble: String) {
        self.trouble = Some(trouble);
    }

    /// Does what a key says. Returns whether it ends all.
    pub(super) fn key(&mut self, key: Key) -> bool {
        let columns = KINDS[self.table].columns.len();
        match key {
            // A terminal that hands on all that is typed makes no signal of Ctrl-C.
            Key::Char('q') | Key::Esc | Key::Ctrl('c' | 'd') => return true,
            Key::Char('\t') | Key::Right | Key::Char('l') => self.turn_to(self.table + 1),
            Key::BackTab | Key::Left | Key::Char('h') => self.turn_to(self.table + KINDS.len() - 1),
            Key::Char(digit @ '1'..='9') => self.turn_to_number(digit),
            Key::Char('s') => self.sort_by(self.sorted_by[self.table] + 1),
            Key::Char('S') => self.sort_by(self.sorted_by[self.table] + columns - 1),
            Key::Char('r') => {
                self.reversed[self.table] = !self.reversed[self.table];
                self.sort();
            }
            Key::Down | Key::Char('j') => self.scrolled += 1,
            Key::Up | Key::Char('k') => self.scrolled = self.scrolled.saturating_sub(1),
            Key::PageDown => self.scrolled += 10,
            Key::PageUp => self.scrolled = self.scrolled.saturating_sub(10),
            Key::Home => self.scrolled = 0,
            _ => {}
        }
        false
    }

    fn turn_to_number(&mut self, digit: char) {
        let number = digit.to_digit(10).map_or(0, |digit| digit as usize);
        if (1..=KINDS.len()).contains(&number) {
            self.turn_to(number - 1);
        }
    }

    fn turn_to(&mut self, table: usize) {
        self.table = table % KINDS.len();
        self.scrolled = 0;
    }

    fn sort_by(&mut self, column: usize) {
        self.sorted_by[self.table] = column % KINDS[self.table].columns.len();
        self.reversed[self.table] = false;
        self.sort();
    }

    fn sort(&mut self) {
        let tables = self.figures.iter_mut().flat_map(|figures| &mut figures.tables);
        for (at, table) in tables.enumerate() {
            table.sort(table.kind.columns[self.sorted_by[at]].key, self.reversed[at]);
        }
    }

    /// Draws all of it.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>) {
        let [head, tabs, body, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
                .areas(frame.area());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let text = self.figures.as_ref().map_or("waiting for what the host tells", |figures| &figures.head);
        frame.render_widget(Paragraph::new(text).style(bold), head);
        frame.render_widget(Paragraph::new(self.tabs()), tabs);
        if let Some(figures) = &self.figures {
            let table = &figures.tables[self.table];
            self.scrolled = self.scrolled.min(table.rows.len().saturating_sub(1));
            self.draw_table(table, frame, body);
        }
        let complaint = self.figures.as_ref().and_then(|figures| figures.complaints.first());
        let foot_text = match self.trouble.as_ref().or(complaint) {
            Some(trouble) => Paragraph::new(trouble.as_str()).style(Style::new().fg(Color::Red)),
            None => Paragraph::new(KEYS).style(Style::new().add_modifier(Modifier::DIM)),
        };
        frame.render_widget(foot_text, foot);
    }

    fn tabs(&self) -> Line<'static> {
        let tab = |(at, kind): (usize, &&Kind)| {
            let is_shown = at == self.table;
            let style = if is_shown { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
            [Span::styled(format!(" {} {} ", at + 1, kind.title), style), Span::raw(" ")]
        };
        KINDS.iter().enumerate().flat_map(tab).collect()
    }

    fn draw_table(&self, table: &Table, frame: &mut Frame<'_>, area: Rect) {
        let sorted = self.sorted_by[self.table];
        let shown = fitting(&widths(table), sorted, area.width);
        let side = |at: usize| if is_right(table, at) { Alignment::Right } else { Alignment::Left };
        let head = |at: usize| {
            let style = if at == sorted { Modifier::UNDERLINED | Modifier::BOLD } else { Modifier::BOLD };
            let head = table.kind.columns[at].head;
            Text::from(head).alignment(side(at)).style(Style::new().add_modifier(style))
        };
        let cell = |row: &[Cell], at: usize| Text::from(row[at].to_string()).alignment(side(at));
        let rows = table.rows.iter().skip(self.scrolled).take(area.height.into());
        let rows = rows.map(|row| Row::new(shown.iter().map(|(at, _)| cell(row, *at))));
        let widths = shown.iter().map(|(_, width)| Constraint::Length(*width));
        let widget = widgets::Table::new(rows, widths)
            .header(Row::new(shown.iter().map(|(at, _)| head(*at))))
            .column_spacing(GAP);
        frame.render_widget(widget, area);
    }
}

/// The columns that fit, with their widths: those in front, and the one that is sorted by. The first may be narrower than
/// what is in it.
fn fitting(widths: &[usize], sorted: usize, room: u16) -> Vec<(usize, u16)> {
    let width = |at: usize| u16::try_from(widths[at]).unwrap_or(u16::MAX);
    let mut shown: Vec<_> = (0..widths.len()).map(|at| (at, width(at))).collect();
    let taken = |shown: &[(usize, u16)]| {
        shown.iter().fold(0_u16, |sum, (_, width)| sum.saturating_add(*width).saturating_add(GAP)).saturating_sub(GAP)
    };
    while taken(&shown) > room {
        // The last column may be long, and its beginning says something.
        let over = taken(&shown) - room;
        let last = shown.len() - 1;
        if shown.len() > 1 && shown[last].1 > over.saturating_add(NAME_WIDTH_MIN) {
            shown[last].1 -= over;
            break;
        }
        match shown.iter().rposition(|(at, _)| *at != 0 && *at != sorted) {
            Some(at) => drop(shown.remove(at)),
            None => {
                shown[0].1 = shown[0].1.saturating_sub(over).max(NAME_WIDTH_MIN.min(room));
                break;
            }
        }
    }
    shown
}
