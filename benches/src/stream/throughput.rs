//! How many messages arrive where the sender never stops: through one stage that relays, and through three.

use super::between::{Between, Kind};
use super::ends::Ends;
use super::{Hosts, Options};
use crate::peer::{Flood, Flooded, Pattern};
use crate::python;
use crate::report::{Report, Table};
use crate::row::Target;
use anyhow::{Context, Result, ensure};
use std::time::Duration;

const TIDEGATE: &str = "tidegate";
const EMPTY: &str = "tidegate, without a stage";
const COMPILED_IN: &str = "logic compiled in";
const FORWARDER: &str = "zmq_proxy, XSUB to XPUB";
const PYZMQ: &str = "pyzmq, one process";
const PYZMQ_STAGES: &str = "pyzmq, a process each, ipc";

/// What the contenders have in common.
struct Course {
    name: &'static str,
    pattern: Pattern,
    stages: usize,
}

/// The values of one contender in each round.
#[derive(Default)]
struct Measured {
    per_second: Vec<f64>,
    cpu_us: Vec<f64>,
}

/// SUB, one stage, PUB.
pub fn relay(options: &Options, hosts: &Hosts, report: &mut Report) -> Result<()> {
    let mut contenders = vec![Between { name: TIDEGATE, kind: Kind::Host(hosts.host.clone()) }];
    match &hosts.compiled_in {
        Some(binary) => contenders.push(Between { name: COMPILED_IN, kind: Kind::Host(binary.clone()) }),
        None => report.skipped.push(format!("{COMPILED_IN}: name its binary with --compiled-in")),
    }
    contenders.push(Between { name: EMPTY, kind: Kind::Empty(hosts.host.clone()) });
    contenders.push(Between { name: FORWARDER, kind: Kind::Forwarder });
    contenders.extend(in_python(PYZMQ, options, report));
    let course = Course { name: "SUB, a stage, PUB", pattern: Pattern::Publish, stages: 1 };
    let [arrived, cpu] = course.run(options, &contenders)?;
    for (id, to, least) in [("S1", COMPILED_IN, 0.6), ("S2", PYZMQ, 5.0), ("S2", FORWARDER, 0.25)] {
        report.ratios.extend(arrived.ratio(id, TIDEGATE, to, Some(Target::AtLeast(least))));
    }
    report.tables.extend([arrived, cpu]);
    Ok(())
}

/// PULL, three stages, PUSH.
pub fn stages(options: &Options, hosts: &Hosts, report: &mut Report) -> Result<()> {
    let mut contenders = vec![Between { name: TIDEGATE, kind: Kind::Host(hosts.host.clone()) }];
    contenders.extend(in_python(PYZMQ_STAGES, options, report));
    let course = Course { name: "PULL, three stages, PUSH", pattern: Pattern::Push, stages: 3 };
    let [arrived, cpu] = course.run(options, &contenders)?;
    report.ratios.extend(arrived.ratio("S3", TIDEGATE, PYZMQ_STAGES, Some(Target::AtLeast(5.0))));
    report.tables.extend([arrived, cpu]);
    Ok(())
}

/// The contender in Python, if it can take part.
fn in_python(name: &'static str, options: &Options, report: &mut Report) -> Option<Between> {
    let python = &options.common.python;
    match python::check(python, "zmq") {
        Ok(()) => Some(Between { name, kind: Kind::Python(python.clone()) }),
        Err(reason) => {
            report.skipped.push(format!("{name}: {reason}"));
            None
        }
    }
}

impl Course {
    /// Messages that arrive, and processor time for each.
    fn run(&self, options: &Options, contenders: &[Between]) -> Result<[Table; 2]> {
        let rounds = options.common.rounds();
        let mut measured: Vec<_> = contenders.iter().map(|_| Measured::default()).collect();
        for round in 1..=rounds {
            for (contender, measured) in contenders.iter().zip(&mut measured) {
                eprintln!("{}: round {round} of {rounds}: {}", self.name, contender.name);
                let (flooded, cpu) = self.once(contender, options.common.seconds()).context(contender.name)?;
                measured.per_second.push(flooded.messages as f64 / flooded.seconds);
                measured.cpu_us.push(cpu.as_secs_f64() * 1e6 / flooded.messages as f64);
            }
        }
        let table = |measure, unit, values: fn(&Measured) -> &Vec<f64>| {
            let lines = contenders.iter().zip(&measured);
            Table::of(
                format!("{}: {measure}", self.name),
                unit,
                lines.map(|(contender, measured)| (contender.name.to_owned(), values(measured).clone())),
            )
        };
        Ok([
            table("messages that arrive", "1/s", |measured| &measured.per_second),
            table("processor time per message", "µs", |measured| &measured.cpu_us),
        ])
    }

    fn once(&self, contender: &Between, seconds: u64) -> Result<(Flooded, Duration)> {
        let mut ends = Ends::start(Flood::arguments(self.pattern, Some(seconds)))?;
        let running = contender.start(self.pattern, self.stages, &ends)?;
        let (flooded, cpu): (Flooded, _) = ends.measure(|| running.processor_time())?;
        ensure!(flooded.missing == 0, "{} messages of {} were lost", flooded.missing, flooded.messages);
        Ok((flooded, cpu))
    }
}
