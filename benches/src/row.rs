//! One measure under two conditions, and the target of their ratio.

use crate::figures::Summary;
use serde::Serialize;
use std::fmt;

/// A row of a table.
#[derive(Serialize)]
pub struct Row {
    measure: &'static str,
    before: Summary,
    after: Summary,
    /// The ratio of after to before, within each round.
    ratio: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
}

/// The target of the median of the ratios.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

impl Row {
    /// A row from the values of each round under the first and under the second condition.
    pub fn of(measure: &'static str, rounds: &[(f64, f64)], target: Option<Target>) -> Self {
        Self {
            measure,
            before: Summary::of(rounds.iter().map(|(before, _)| *before)),
            after: Summary::of(rounds.iter().map(|(_, after)| *after)),
            ratio: Summary::of(rounds.iter().map(|(before, after)| after / before)),
            target,
        }
    }

    /// Whether the target is met; true if there is none.
    pub fn is_met(&self) -> bool {
        self.target.is_none_or(|target| target.is_met(self.ratio.median))
    }

    fn verdict(&self) -> String {
        match self.target {
            Some(target) => format!("{target} {}", if self.is_met() { "met" } else { "missed" }),
            None => String::new(),
        }
    }
}

/// Prints a table; `before` and `after` name the two conditions.
pub fn print_rows(before: &str, after: &str, rows: &[Row]) {
    let print = |cells: [&str; 5]| {
        let [measure, before, after, ratio, target] = cells;
        println!("{}", format!("  {measure:11}{before:24}{after:24}{ratio:24}{target}").trim_end());
    };
    let target = if rows.iter().any(|row| row.target.is_some()) { "target" } else { "" };
    print(["", before, after, &format!("{after}/{before}"), target]);
    for row in rows {
        let [before, after, ratio] = [row.before, row.after, row.ratio].map(|summary| summary.to_string());
        print([row.measure, &before, &after, &ratio, &row.verdict()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_ratios_is_judged() {
        let rounds = [(1.0, 2.0), (1.0, 9.0), (2.0, 8.0)];
        let met = |target| Row::of("x", &rounds, Some(target)).is_met();
        assert!(met(Target::AtMost(4.0)) && met(Target::AtLeast(4.0)));
        assert!(!met(Target::AtMost(3.9)) && !met(Target::AtLeast(4.1)));
    }
}
