//! Ten thousand clients to which nothing comes.

use super::NO_TOPIC;
use super::source::Source;
use crate::idle::{Crowd, Idle, clients_max};
use crate::options::Options;
use crate::peer::MESSAGE_BYTES;
use crate::report::{Report, Table};
use crate::row::Target;
use crate::usage::{processor_time, resident};
use anyhow::Result;
use std::path::Path;

pub const ABOUT: &str = "idle        10,000 clients of a topic without messages, while a flow makes 5,000 events of other topics a second; \
                         cpu is that of the host, heartbeats included";

const CLIENTS: usize = 10_000;
const RATE: u32 = 5_000;
/// What also a debug build keeps up with.
const RATE_QUICK: u32 = 500;
const COST_RATIO_MAX: f64 = 1.1;
/// It is full in any case, so that the memory that is more is that of the clients.
const RING: &str = "ring_messages_max = 1000\n";

/// Measures without clients and with them in every round.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let clients = if options.quick { 100 } else { CLIENTS.min(clients_max()) };
    if clients < CLIENTS && !options.quick {
        report.skipped.push(format!("more than {clients} clients: raise the hard limit on open files (ulimit -Hn)"));
    }
    let rate = if options.quick { RATE_QUICK } else { RATE };
    let messages = options.seconds() * u64::from(rate);
    let names = ["no client".to_owned(), format!("{clients} idle clients")];
    let (mut cost_us, mut kib) = ([Vec::new(), Vec::new()], Vec::new());
    for round in 1..=options.rounds() {
        let mut bytes = [0, 0];
        for (at, clients) in [0, clients].into_iter().enumerate() {
            eprintln!("idle: round {round} of {}: {}", options.rounds(), names[at]);
            let source = Source::start(binary, RING)?;
            let (host, address) = (&source.host, source.host.http()?);
            let mut crowd = Crowd::default();
            crowd.grow(clients, |count| Idle::Streams { address, topic: NO_TOPIC.to_owned(), count })?;
            let before = processor_time(host.id())?;
            source.send(messages, rate, MESSAGE_BYTES)?;
            source.wait_for(messages)?;
            let used = processor_time(host.id())?.saturating_sub(before);
            cost_us[at].push(used.as_secs_f64() * 1e6 / messages as f64);
            bytes[at] = resident(host.id())?.whole_bytes;
        }
        kib.push(bytes[1].saturating_sub(bytes[0]) as f64 / 1024.0 / clients as f64);
    }
    let [without, with] = &names;
    let table = Table::of("idle: processor time per message", "µs", names.iter().cloned().zip(cost_us));
    report.ratios.extend(table.ratio("E2", with, without, Some(Target::AtMost(COST_RATIO_MAX))));
    report.tables.push(table);
    report.tables.push(Table::of("idle: memory per client", "KiB", [(with.clone(), kib)]));
    Ok(())
}
