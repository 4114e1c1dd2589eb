//! One client that has stopped reading, among others that go on.

use super::source::Source;
use crate::figures::Summary;
use crate::options::Options;
use crate::peer::{EventFollowers, Followed, Process};
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use crate::usage::processor_time;
use anyhow::{Context, Result};
use std::path::Path;

pub const ABOUT: &str = "stopped     100 clients follow 100 messages/s of 32 KiB, and one of them never reads, for which 1 MiB may wait (what \
                         its connection holds goes beside): what the others missed, and what the ledger has of it";

const CLIENTS: usize = 100;
const RATE: u32 = 100;
const MESSAGE_BYTES: usize = 32 << 10;
/// More than the system keeps for a connection that nobody reads.
const MESSAGES: u64 = 600;
const QUEUE: &str = "stream_bytes_max = 1048576\n";

/// Measures with all of them reading and with all but one in every round.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let names = ["all read", "one has stopped"];
    let mut cost_us = [Vec::new(), Vec::new()];
    let (mut missed, mut dropped, mut uncounted) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=options.rounds() {
        for (stopped, cost_us) in cost_us.iter_mut().enumerate() {
            eprintln!("stopped: round {round} of {}: {}", options.rounds(), names[stopped]);
            let source = Source::start(binary, QUEUE)?;
            let address = source.host.http()?;
            let mut followers =
                Process::peer(EventFollowers::arguments(address, "0", CLIENTS - stopped, MESSAGES, stopped))?;
            followers.wait_for("ready")?;
            let before = processor_time(source.host.id())?;
            source.send(MESSAGES, RATE, MESSAGE_BYTES)?;
            let followed: Followed = serde_json::from_str(&followers.wait_for("end")?)?;
            let used = processor_time(source.host.id())?.saturating_sub(before);
            cost_us.push(used.as_secs_f64() * 1e6 / followed.delivered as f64);
            if stopped == 1 {
                missed.push(followed.missed as f64);
                let hop = source.host.figures("events.streams")?;
                let number = |key: &str| hop[key].as_u64().with_context(|| format!("the hop has no {key}: {hop}"));
                let lost: u64 = hop["dropped"]
                    .as_object()
                    .into_iter()
                    .flat_map(|all| all.values())
                    .filter_map(|n| n.as_u64())
                    .sum();
                dropped.push(lost as f64);
                uncounted.push(number("in")?.abs_diff(number("out")? + lost + number("in_flight")?) as f64);
            }
        }
    }
    let lines = names.iter().map(|&name| name.to_owned()).zip(cost_us);
    report.tables.push(Table::of("stopped: processor time per message and client", "µs", lines));
    let dropped = [("for the one that has stopped, of 600".to_owned(), dropped)];
    report.tables.push(Table::of("stopped: messages that are dropped, by the ledger", "", dropped));
    for (what, rounds) in [("messages that the other 99 missed", missed), ("messages that the ledger lacks", uncounted)]
    {
        let target = Some(Target::AtMost(0.0));
        report.ratios.push(Ratio {
            id: "E3",
            what: format!("{what}, itself no ratio"),
            ratio: Summary::of(rounds),
            target,
        });
    }
    Ok(())
}
