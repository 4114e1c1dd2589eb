//! The ledger: the cost of one passage through a hop, with a growing number of threads on the same hop.

use crate::example;
use crate::figures::Summary;
use crate::options::Options;
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use anyhow::{Context, Result};

const ABOUT: [&str; 2] = [
    "passage   entered and gone out; the time that it takes its thread, in turns of 200,000 that all threads begin together",
    "hop       tidegate::ledger::Hop, as the host counts with; one lock: the same figures behind one mutex for all threads",
];
const ONE: &str = "hop, 1 thread";
const TWO: &str = "hop, 2 threads";
const PASSAGE_NS_MAX: f64 = 15.0;
/// A passage must not cost more with more threads; the tolerance is the noise between two measurements.
const SLOWER_MAX: f64 = 1.1;

/// Measures.
pub fn run(options: &Options) -> Result<Report> {
    let program = example::build(options.host.as_deref(), "passages", &[])?;
    let mut report = Report::new("ledger", &ABOUT);
    let mut lines: Vec<(String, Vec<f64>)> = Vec::new();
    for round in 1..=options.rounds() {
        eprintln!("round {round} of {}", options.rounds());
        for (name, passage_ns) in example::figures(&program, &[])? {
            match lines.iter_mut().find(|(known, _)| *known == name) {
                Some((_, rounds)) => rounds.push(passage_ns),
                None => lines.push((name, vec![passage_ns])),
            }
        }
    }
    let table = Table::of("one passage", "ns", lines);
    report.ratios.push(Ratio {
        id: "P14",
        what: format!("{TWO}, ns"),
        ratio: Summary::of(table.rounds(TWO).context("no figures of two threads")?.iter().copied()),
        target: Some(Target::AtMost(PASSAGE_NS_MAX)),
    });
    let more = table.lines.iter().filter(|line| line.contender.starts_with("hop") && line.contender != ONE);
    let more = more.filter_map(|line| table.ratio("P14", &line.contender, ONE, Some(Target::AtMost(SLOWER_MAX))));
    report.ratios.extend(more);
    report.tables.push(table);
    Ok(report)
}
