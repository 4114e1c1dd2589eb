//! What messages cost in many flows, against one with all of them.

use super::ends::Ends;
use super::{Options, flows};
use crate::peer::{Arrived, Pattern, Steady};
use crate::report::{Report, Table};
use crate::row::Target;
use crate::usage::processor_time;
use anyhow::Result;
use std::path::Path;

const COST_RATIO_MAX: f64 = 1.3;
/// The sender pushes to all of them in turn, so that each gets as much.
const FLOWS: [(&str, usize); 2] = [("one flow", 1), ("200 flows", 200)];

/// Measures one flow and many in every round.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let rounds = options.common.rounds();
    let mut cost_us = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        for ((name, flows), cost_us) in FLOWS.into_iter().zip(&mut cost_us) {
            eprintln!("flows: round {round} of {rounds}: {name}");
            let mut ends = Ends::start(Steady::arguments(options.rate(), options.common.seconds()))?;
            let host = flows::start(binary, Pattern::Push, 1, flows, &ends)?;
            let (arrived, cpu): (Arrived, _) = ends.measure(|| processor_time(host.id()))?;
            cost_us.push(cpu.as_secs_f64() * 1e6 / arrived.messages as f64);
        }
    }
    let lines = FLOWS.into_iter().zip(cost_us).map(|((name, _), cost_us)| (name.to_owned(), cost_us));
    let measure = format!("{} messages/s in all: processor time per message", options.rate());
    let table = Table::of(measure, "µs", lines);
    let [(one, _), (many, _)] = FLOWS;
    report.ratios.extend(table.ratio("S5", many, one, Some(Target::AtMost(COST_RATIO_MAX))));
    report.tables.push(table);
    Ok(())
}
