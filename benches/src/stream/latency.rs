//! What one stage adds to the latency of a flow.

use super::ends::Ends;
use super::{Options, flows};
use crate::figures::Summary;
use crate::peer::{Arrived, Pattern, Steady};
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use crate::usage::processor_time;
use anyhow::Result;
use std::path::Path;

const P99_ADDED_MS_MAX: f64 = 0.5;

/// The two flows, by their number of stages.
const FLOWS: [&str; 2] = ["without a stage", "through one stage"];

/// The latencies of one of them in each round, in milliseconds.
#[derive(Default)]
struct Measured {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

/// Measures a flow with a stage and one without in every round.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let rounds = options.common.rounds();
    let mut measured = [Measured::default(), Measured::default()];
    for round in 1..=rounds {
        for (stages, measured) in measured.iter_mut().enumerate() {
            eprintln!("latency: round {round} of {rounds}: {}", FLOWS[stages]);
            let mut ends = Ends::start(Steady::arguments(options.rate(), options.common.seconds()))?;
            let host = flows::start(binary, Pattern::Push, stages, 1, &ends)?;
            let (arrived, _): (Arrived, _) = ends.measure(|| processor_time(host.id()))?;
            measured.p50.push(arrived.p50_ms);
            measured.p99.push(arrived.p99_ms);
        }
    }
    let table = |measure: &str, values: fn(&Measured) -> &Vec<f64>| {
        let lines = FLOWS.into_iter().zip(&measured);
        let lines = lines.map(|(name, measured)| (name.to_owned(), values(measured).clone()));
        Table::of(format!("{} messages/s, PULL to PUSH: {measure}", options.rate()), "ms", lines)
    };
    report.tables.push(table("p50", |measured| &measured.p50));
    report.tables.push(table("p99", |measured| &measured.p99));
    let [without, with] = &measured;
    report.ratios.push(Ratio {
        id: "S4",
        what: "p99 that one stage adds, ms, itself no ratio".to_owned(),
        ratio: Summary::of(without.p99.iter().zip(&with.p99).map(|(without, with)| with - without)),
        target: Some(Target::AtMost(P99_ADDED_MS_MAX)),
    });
    Ok(())
}
