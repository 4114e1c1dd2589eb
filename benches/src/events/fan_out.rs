//! A thousand clients that follow one topic.

use super::source::Source;
use crate::options::Options;
use crate::peer::{EventFollowers, Followed, MESSAGE_BYTES, Process};
use crate::report::{Report, Table};
use crate::usage::{processor_time, resident};
use anyhow::{Result, ensure};
use std::path::Path;

pub const ABOUT: &str = "fan out     a flow makes events of 64 bytes, 100 a second, that 1,000 clients follow; cpu is that of the host for \
                         each message that a client got, memory what the host has in the end beyond that without clients";

const CLIENTS: usize = 1_000;
const RATE: u32 = 100;

/// Measures in every round.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let clients = if options.quick { CLIENTS / 10 } else { CLIENTS };
    let messages = options.seconds() * u64::from(RATE);
    let (mut cost_us, mut busy, mut kib) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=options.rounds() {
        eprintln!("fan out: round {round} of {}", options.rounds());
        let source = Source::start(binary, "")?;
        let without = resident(source.host.id())?.whole_bytes;
        let arguments = EventFollowers::arguments(source.host.http()?, "0", clients, messages, 0);
        let mut followers = Process::peer(arguments)?;
        followers.wait_for("ready")?;
        let before = processor_time(source.host.id())?;
        source.send(messages, RATE, MESSAGE_BYTES)?;
        let followed: Followed = serde_json::from_str(&followers.wait_for("end")?)?;
        let used = processor_time(source.host.id())?.saturating_sub(before).as_secs_f64();
        ensure!(followed.missed == 0, "{} messages were missed", followed.missed);
        cost_us.push(used * 1e6 / followed.delivered as f64);
        busy.push(used / options.seconds() as f64);
        let more = resident(source.host.id())?.whole_bytes.saturating_sub(without);
        kib.push(more as f64 / 1024.0 / clients as f64);
    }
    let name = format!("{clients} clients, {RATE} messages/s");
    for (measure, unit, rounds) in [
        ("processor time per message and client", "µs", cost_us),
        ("processors that are busy", "of them", busy),
        ("memory per client", "KiB", kib),
    ] {
        report.tables.push(Table::of(format!("fan out: {measure}"), unit, [(name.clone(), rounds)]));
    }
    Ok(())
}
