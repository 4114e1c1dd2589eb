//! The figures as one SVG: a bar per contender and measure, with whiskers from the smallest round to the largest.
//!
//! It contains no script and no font, and follows the reader's light or dark mode, which the crates that draw charts
//! cannot do.

use crate::report::{Line, Ratio, Report, Table};
use std::fmt::Write;

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 16.0;
/// The start of the bars, and the length of the longest one, which leaves room for its figures.
const BARS_X: f64 = 330.0;
const BARS_WIDTH: f64 = 350.0;
const RATIOS_X: f64 = 560.0;
const LINE_HEIGHT: f64 = 20.0;
const BAR_HEIGHT: f64 = 12.0;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:17px;font-weight:600}.measure{font-weight:600}\
.figures{fill:#59636e}.page{fill:#fff}.bar{fill:#a9b4c0}.ours{fill:#1f6feb}.whisker{stroke:#1f2328;fill:none}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.figures{fill:#9198a1}.page{fill:#0d1117}.bar{fill:#4b5561}\
.ours{fill:#388bfd}.whisker{stroke:#e6edf3}}";

/// Draws the chart. Returns the text of the SVG file.
pub fn draw(reports: &[Report]) -> String {
    let mut chart = Chart { body: String::new(), y: MARGIN };
    for report in reports {
        chart.report(report);
    }
    let height = chart.y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\"><style>{STYLE}</style><rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         {}</svg>\n",
        chart.body
    )
}

/// The elements drawn so far, and the position of the next line.
struct Chart {
    body: String,
    y: f64,
}

impl Chart {
    fn report(&mut self, report: &Report) {
        self.text("title", MARGIN, report.comparison);
        self.y += LINE_HEIGHT;
        // A table of errors is drawn only if there were any.
        for table in report.tables.iter().filter(|table| largest(table) > 0.0) {
            self.table(table);
        }
        let judged: Vec<_> = report.ratios.iter().filter(|ratio| ratio.target.is_some()).collect();
        if !judged.is_empty() {
            self.y += LINE_HEIGHT / 2.0;
            self.text("measure", MARGIN, "ratios, round by round");
        }
        for judged in judged {
            let Ratio { id, what, ratio, .. } = judged;
            self.text("", MARGIN, format!("{id} {what}").trim_start());
            self.y -= LINE_HEIGHT;
            self.text("figures", RATIOS_X, &format!("{ratio} {}", judged.verdict()));
        }
        self.y += LINE_HEIGHT;
    }

    fn table(&mut self, table: &Table) {
        self.y += LINE_HEIGHT / 2.0;
        self.text("measure", MARGIN, &format!("{}, {}", table.measure, table.unit));
        let scale = BARS_WIDTH / largest(table);
        for Line { contender, summary, .. } in &table.lines {
            let [bar, min, max] = [summary.median, summary.min, summary.max].map(|value| value * scale);
            let (top, middle) = (self.y + (LINE_HEIGHT - BAR_HEIGHT) / 2.0, self.y + LINE_HEIGHT / 2.0);
            let class = if contender.starts_with("tidegate") { "bar ours" } else { "bar" };
            let _ = writeln!(
                self.body,
                "<rect class=\"{class}\" x=\"{BARS_X}\" y=\"{top}\" width=\"{bar:.1}\" height=\"{BAR_HEIGHT}\"/>"
            );
            if max > min {
                let (left, right) = (BARS_X + min, BARS_X + max);
                let _ = writeln!(
                    self.body,
                    "<path class=\"whisker\" d=\"M{left:.1} {middle}H{right:.1}M{left:.1} {}v6M{right:.1} {}v6\"/>",
                    middle - 3.0,
                    middle - 3.0
                );
            }
            self.text("", MARGIN, contender);
            self.y -= LINE_HEIGHT;
            self.text("figures", BARS_X + bar.max(max) + 8.0, &summary.to_string());
        }
    }

    /// Draws one line of text, and moves below it.
    fn text(&mut self, class: &str, x: f64, text: &str) {
        self.y += LINE_HEIGHT;
        let (y, text) = (self.y - 6.0, escaped(text));
        let _ = writeln!(self.body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{text}</text>");
    }
}

fn largest(table: &Table) -> f64 {
    table.lines.iter().map(|line| line.summary.max).fold(0.0, f64::max)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Target;

    fn report() -> Report {
        let lines = [("tidegate".to_owned(), vec![10.0, 30.0, 20.0]), ("a <b> & c".to_owned(), vec![40.0, 40.0, 40.0])];
        let table = Table::of("throughput", "1/s", lines);
        let ratios = table.ratio("P0", "tidegate", "a <b> & c", Some(Target::AtLeast(0.9))).into_iter().collect();
        let nothing = Table::of("failures", "", [("tidegate".to_owned(), vec![0.0])]);
        Report { tables: vec![table, nothing], ratios, ..Report::new("test", &[]) }
    }

    #[test]
    fn bars_and_whiskers_are_to_scale() {
        let drawn = draw(&[report()]);
        let per_unit = BARS_WIDTH / 40.0;
        assert!(drawn.contains("class=\"bar ours\" x=\"330\""), "{drawn}");
        assert!(drawn.contains(&format!("width=\"{:.1}\"", 20.0 * per_unit)), "the median: {drawn}");
        assert!(drawn.contains(&format!("M{:.1} ", BARS_X + 10.0 * per_unit)), "the smallest: {drawn}");
        assert!(drawn.contains(&format!("H{:.1}M", BARS_X + 30.0 * per_unit)), "the largest: {drawn}");
        assert_eq!(drawn.matches("whisker\" d").count(), 1, "where all rounds are alike there is none");
    }

    #[test]
    fn text_is_escaped_and_tables_of_nothing_are_left_out() {
        let drawn = draw(&[report()]);
        assert!(drawn.contains("a &lt;b&gt; &amp; c"), "{drawn}");
        assert!(!drawn.contains("<b>") && !drawn.contains("failures"), "{drawn}");
        assert!(drawn.contains("0.500 [0.250–0.750] ≥ 0.9 missed"), "{drawn}");
    }
}
