//! What a message costs the host with ten workers and with a thousand, where as many messages are in flight.

use super::pool;
use crate::host::Host;
use crate::options::Options;
use crate::peer::{Arrived, PoolWorkers, Process, Steady, WorkerProtocol};
use crate::report::{Report, Table};
use crate::row::Target;
use crate::stream::Ends;
use crate::usage::processor_time;
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;

pub const ABOUT: &str = "scale  5,000 messages/s through a flow and a pool, whose workers hold each for 2 s, so that 10,000 are in \
                         flight; cpu is that of the host, libzmq's threads and the heartbeats of all workers included";

const RATE: u32 = 5_000;
/// What also a debug build keeps up with.
const RATE_QUICK: u32 = 500;
const HOLD: Duration = Duration::from_secs(2);
const COST_RATIO_MAX: f64 = 1.1;
/// A name, the workers, and how many messages each may have.
const POOLS: [(&str, usize, usize); 2] = [("10 workers", 10, 2_000), ("1,000 workers", 1_000, 20)];
const FLAGS: [&str; 4] = ["--http=none", "--admin=none", "--publish=none", "--frontend=none"];

/// Measures both pools in every round.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let mut cost_us = [Vec::new(), Vec::new()];
    for round in 1..=options.rounds() {
        for ((name, workers, each), cost_us) in POOLS.into_iter().zip(&mut cost_us) {
            eprintln!("workers: round {round} of {}: {name}", options.rounds());
            cost_us.push(once(options, binary, workers, each).context(name)?);
        }
    }
    let lines = POOLS.into_iter().zip(cost_us).map(|((name, ..), cost_us)| (name.to_owned(), cost_us));
    let table = Table::of("10,000 messages in flight: processor time per message", "µs", lines);
    let [(few, ..), (many, ..)] = POOLS;
    report.ratios.extend(table.ratio("W3", many, few, Some(Target::AtMost(COST_RATIO_MAX))));
    report.tables.push(table);
    Ok(())
}

fn once(options: &Options, binary: &Path, workers: usize, each: usize) -> Result<f64> {
    let rate = if options.quick { RATE_QUICK } else { RATE };
    // What is in flight when the measurement begins has been held for long enough.
    let seconds = options.seconds() + HOLD.as_secs();
    let mut ends = Ends::start(Steady::arguments(rate, seconds))?;
    let config = format!(
        "{}[sockets.in]\ntype = 'pull'\nconnect = ['{}']\nqueue_messages_max = 20_000\n[sockets.out]\ntype = 'push'\nconnect = ['{}']\n\
         [flows.all]\nfrom = ['in']\nthrough = ['workers.score']\nto = ['out']\norder = 'none'\nin_flight_max = 20_000\n\
         [shutdown]\ngrace_ms = 500\n",
        pool(&format!("in_flight_per_worker_max = {each}\n")),
        ends.from,
        ends.to,
    );
    let host = Host::start_with(binary, &[], &config, &FLAGS)?;
    let held = (Duration::ZERO, HOLD);
    let arguments = PoolWorkers::arguments(host.place("workers.score")?, workers, WorkerProtocol::Majordomo, held);
    let mut workers = Process::peer(arguments)?;
    workers.wait_for("ready")?;
    let (arrived, cpu): (Arrived, _) = ends.measure(|| processor_time(host.id()))?;
    Ok(cpu.as_secs_f64() * 1e6 / arrived.messages as f64)
}
