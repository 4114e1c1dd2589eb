//! The results of a comparison: the figures of every contender, and the targets of their ratios.

use crate::figures::Summary;
use crate::machine::Machine;
use crate::row::Target;
use serde::Serialize;

/// The whole of one comparison.
#[derive(Serialize)]
pub struct Report {
    pub comparison: &'static str,
    /// What is compared and how; each line is a paragraph.
    pub about: Vec<String>,
    pub machine: Machine,
    /// Contenders that could not take part, each with the reason.
    pub skipped: Vec<String>,
    pub tables: Vec<Table>,
    pub ratios: Vec<Ratio>,
}

/// One measure of several contenders.
#[derive(Serialize)]
pub struct Table {
    pub measure: String,
    pub unit: &'static str,
    pub lines: Vec<Line>,
}

/// One contender in a table: its value in each round.
#[derive(Serialize)]
pub struct Line {
    pub contender: String,
    pub rounds: Vec<f64>,
    pub summary: Summary,
}

/// The ratio of two contenders in the same rounds, and the target of its median, if any.
#[derive(Serialize)]
pub struct Ratio {
    /// The name of the target, such as P1; empty if there is none.
    pub id: &'static str,
    pub what: String,
    pub ratio: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

impl Report {
    /// A report without figures. It describes the machine, so it must be made before any traffic.
    pub fn new(comparison: &'static str, about: &[&str]) -> Self {
        Self {
            comparison,
            about: about.iter().map(|&line| line.to_owned()).collect(),
            machine: Machine::look(),
            skipped: Vec::new(),
            tables: Vec::new(),
            ratios: Vec::new(),
        }
    }

    pub fn is_met(&self) -> bool {
        self.ratios.iter().all(Ratio::is_met)
    }

    pub fn print(&self) {
        let load = self.machine.load_average.map_or("unknown".to_owned(), |load| load.to_string());
        println!("{}", self.comparison);
        for line in &self.about {
            println!("  {line}");
        }
        println!(
            "  machine: {} processors, shared with the load; load average before: {load}\n  figures: median over the rounds [min–max]",
            self.machine.processors
        );
        for skipped in &self.skipped {
            println!("  skipped: {skipped}");
        }
        for Table { measure, unit, lines } in &self.tables {
            println!("\n{measure}, {unit}");
            for Line { contender, summary, .. } in lines {
                println!("  {contender:58}{summary}");
            }
        }
        if !self.ratios.is_empty() {
            println!("\nratios, round by round");
        }
        for ratio in &self.ratios {
            let (what, summary) = (&ratio.what, ratio.ratio.to_string());
            println!("{}", format!("  {:5}{what:53}{summary:24}{}", ratio.id, ratio.verdict()).trim_end());
        }
    }
}

impl Table {
    /// A table of contenders by name, each with its value in every round.
    pub fn of(
        measure: impl Into<String>,
        unit: &'static str,
        lines: impl IntoIterator<Item = (String, Vec<f64>)>,
    ) -> Self {
        let line = |(contender, rounds): (String, Vec<f64>)| Line {
            contender,
            summary: Summary::of(rounds.iter().copied()),
            rounds,
        };
        Self { measure: measure.into(), unit, lines: lines.into_iter().map(line).collect() }
    }

    /// The values of a contender in each round.
    pub fn rounds(&self, contender: &str) -> Option<&[f64]> {
        self.lines.iter().find(|line| line.contender == contender).map(|line| &*line.rounds)
    }

    /// The ratio of two contenders; none if one of them did not take part.
    pub fn ratio(&self, id: &'static str, of: &str, to: &str, target: Option<Target>) -> Option<Ratio> {
        let pairs = self.rounds(of)?.iter().zip(self.rounds(to)?);
        let what = format!("{of} / {to}");
        Some(Ratio { id, what, ratio: Summary::of(pairs.map(|(of, to)| of / to)), target })
    }
}

impl Ratio {
    /// Whether the target is met; true if there is none.
    fn is_met(&self) -> bool {
        self.target.is_none_or(|target| target.is_met(self.ratio.median))
    }

    /// The target and whether it is met; empty if there is none.
    pub fn verdict(&self) -> String {
        match self.target {
            Some(target) => format!("{target} {}", if self.is_met() { "met" } else { "missed" }),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_the_same_round() {
        let lines = [("a".to_owned(), vec![2.0, 30.0, 4.0]), ("b".to_owned(), vec![1.0, 10.0, 4.0])];
        let table = Table::of("speed", "1/s", lines);
        let ratio = table.ratio("P0", "a", "b", Some(Target::AtLeast(2.0))).expect("both took part");
        assert_eq!((ratio.ratio.median, ratio.ratio.min, ratio.ratio.max), (2.0, 1.0, 3.0));
        assert!(ratio.is_met());
        assert!(!table.ratio("P0", "a", "b", Some(Target::AtMost(1.9))).expect("both").is_met());
        assert!(table.ratio("P0", "a", "c", None).is_none());
    }
}
