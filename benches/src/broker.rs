//! The broker: requests and replies through Tidegate, against libzmq's own proxy with native workers.

mod contender;

use crate::options::Options;
use crate::peer::{Dealers, Exchanged, Process};
use crate::processor_time;
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use anyhow::{Context, Result};
use contender::{Contender, NATIVE, TIDEGATE};

const CLIENTS: usize = 3;
const WINDOW: usize = 100;

/// The values of one contender in each round.
#[derive(Default)]
struct Measured {
    replies_per_second: Vec<f64>,
    cpu_seconds: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

/// Measures every contender in every round.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new(
        "broker",
        &[
            "contenders  answer each request once and at once, with 5 workers; a server is started anew in each round;\n              tidegate makes a fresh instance per call",
            "throughput  3 DEALER clients in one process, 100 requests on their way each (closed loop)",
            "round trip  one client, one request on its way (closed loop: a slow reply delays the next request, so the\n              percentiles are those of a client that waits, not of a given rate)",
            "cpu         of the server's process, libzmq's threads included",
        ],
    );
    let (contenders, skipped) = contender::all(options)?;
    report.skipped = skipped;
    let mut measured: Vec<_> = contenders.iter().map(|_| Measured::default()).collect();
    for round in 1..=options.rounds() {
        for (contender, measured) in contenders.iter().zip(&mut measured) {
            eprintln!("round {round} of {}: {}", options.rounds(), contender.name);
            measured.add(contender, options.seconds()).context(contender.name)?;
        }
    }
    let table = |measure: &str, unit, values: fn(&Measured) -> &Vec<f64>| {
        let lines = contenders.iter().zip(&measured);
        Table::of(
            measure,
            unit,
            lines.map(|(contender, measured)| (contender.name.to_owned(), values(measured).clone())),
        )
    };
    let replies = table("replies, 3 clients with a window of 100", "1/s", |measured| &measured.replies_per_second);
    let cpu = table("processor time per 100,000 replies", "s", |measured| &measured.cpu_seconds);
    let p50 = table("round trip at a window of 1, p50", "µs", |measured| &measured.p50_us);
    let p99 = table("round trip at a window of 1, p99", "µs", |measured| &measured.p99_us);
    report.ratios = ratios("replies", &replies, Target::AtLeast(1.0));
    report.ratios.extend(ratios("p50", &p50, Target::AtMost(0.9)));
    report.tables = vec![replies, cpu, p50, p99];
    Ok(report)
}

fn ratios(measure: &str, table: &Table, target: Target) -> Vec<Ratio> {
    let to_native = table.ratio("P7", TIDEGATE, NATIVE, Some(target));
    let others = table.lines.iter().filter(|line| ![TIDEGATE, NATIVE].contains(&&*line.contender));
    let to_others = others.filter_map(|line| table.ratio("", TIDEGATE, &line.contender, None));
    to_native
        .into_iter()
        .chain(to_others)
        .map(|ratio| Ratio { what: format!("{measure}: {}", ratio.what), ..ratio })
        .collect()
}

impl Measured {
    fn add(&mut self, contender: &Contender, seconds: u64) -> Result<()> {
        let server = contender.start()?;
        let (many, cpu) =
            exchange(server.endpoint(), CLIENTS, WINDOW, seconds, || processor_time::seconds(server.id()))?;
        self.replies_per_second.push(many.replies as f64 / many.seconds);
        self.cpu_seconds.push(cpu * 1e5 / many.replies as f64);
        let (one, _) = exchange(server.endpoint(), 1, 1, seconds.div_ceil(2), || processor_time::seconds(server.id()))?;
        self.p50_us.push(one.p50_us.context("no round trips")?);
        self.p99_us.push(one.p99_us.context("no round trips")?);
        Ok(())
    }
}

/// Runs clients against a server. Returns their results and the processor time that the server used meanwhile.
fn exchange(
    endpoint: &str,
    clients: usize,
    window: usize,
    seconds: u64,
    cpu: impl Fn() -> Result<f64>,
) -> Result<(Exchanged, f64)> {
    let mut dealers = Process::peer(Dealers::arguments(endpoint, clients, window, seconds))?;
    dealers.wait_for("begin")?;
    let before = cpu()?;
    let exchanged = serde_json::from_str(&dealers.wait_for("end")?)?;
    Ok((exchanged, cpu()? - before))
}
