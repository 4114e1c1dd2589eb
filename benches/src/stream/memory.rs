//! The memory of a host whose peers take nothing while others never stop to send.

use super::ends::Ends;
use super::{Options, flows};
use crate::figures::Summary;
use crate::host::Host;
use crate::peer::{Flood, Pattern};
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use crate::usage::resident;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The senders. The one that pushes waits in the end; of what is published, the host drops what a flow has no room for.
const PATTERNS: [Pattern; 2] = [Pattern::Push, Pattern::Publish];
/// The bytes of each queue, which are full before as many messages are there.
const QUEUE_BYTES_MAX: u64 = 16 << 20;
const KEYS: &str = "queue_bytes_max = 16_777_216\nqueue_messages_max = 1_000_000\n";
const LOOK: Duration = Duration::from_millis(500);
const GROWTH_RATIO_MAX: f64 = 1.02;
const MIB: f64 = 1048576.0;

/// Looks at the memory for as long as the options say, once.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let time = options.memory_time();
    let warm_up = time.min(Duration::from_secs(30));
    eprintln!("memory: {} s, and {} s to warm up", time.as_secs(), warm_up.as_secs());
    let empty = tempfile::tempdir().context("making a directory")?;
    let nobody = format!("ipc://{}/nobody", empty.path().display());
    let at_rest = mib(start(binary, [[&nobody, &nobody]; 2])?.id())?;
    let [pushed, published] = PATTERNS.map(|pattern| Ends::start(Flood::arguments(pattern, None)));
    let (pushed, published) = (pushed?, published?);
    let host = start(binary, [&pushed, &published].map(|ends| [&*ends.from, &*ends.to]))?;
    sleep(warm_up);
    let mut looks = Vec::new();
    let began = Instant::now();
    while began.elapsed() < time {
        looks.push(mib(host.id())?);
        sleep(LOOK);
    }
    ensure!(looks.len() > 1, "memory was looked at once, which shows no growth");
    let most = Summary::of(looks.iter().copied()).max;
    let (first, last) = (looks[0], looks[looks.len() - 1]);
    let lines = [("at rest", at_rest), ("warmed up", first), ("at the end", last), ("at most", most)];
    let measure = format!("resident after {} s with peers that do not read", time.as_secs());
    report.tables.push(Table::of(measure, "MiB", lines.map(|(name, mib)| (name.to_owned(), vec![mib]))));
    let bound = 2.0 * PATTERNS.len() as f64 * QUEUE_BYTES_MAX as f64 / MIB;
    for (what, ratio, target) in [
        ("memory: at most / warmed up", most / first, GROWTH_RATIO_MAX),
        ("memory: beyond that at rest / its bounds", (most - at_rest) / bound, 1.0),
    ] {
        let ratio = Summary::of([ratio]);
        report.ratios.push(Ratio { id: "S6", what: what.to_owned(), ratio, target: Some(Target::AtMost(target)) });
    }
    Ok(())
}

/// Starts a host with a flow for each pattern, of which both push.
fn start(binary: &Path, places: [[&str; 2]; 2]) -> Result<Host> {
    let mut config = String::new();
    for (reads, [from, to]) in ["pull", "sub"].into_iter().zip(places) {
        let out = format!("{reads}-out");
        config += &flows::socket(reads, reads, from, KEYS);
        config += &flows::socket(&out, "push", to, KEYS);
        config += &flows::flow(reads, 1, &out);
    }
    flows::start_with(binary, 1, &config)
}

fn mib(id: u32) -> Result<f64> {
    Ok(resident(id)?.whole_bytes as f64 / MIB)
}
