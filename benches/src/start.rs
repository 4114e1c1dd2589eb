//! Start: from exec to `ready`, and the memory of a host at rest.

use crate::figures::Summary;
use crate::host;
use crate::launch::{Launch, component};
use crate::options::Options;
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use crate::usage::resident;
use anyhow::{Context, Result};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const WARM: &str = "tidegate, two Rust plugins, cache warm";
const COLD: &str = "tidegate, two Rust plugins, cache empty";
const BARE: &str = "tidegate, no plugin";
const FLASK: &str = "python3 -c 'import flask'";
const READY_MS_MAX: f64 = 40.0;
const RESIDENT_MIB_MAX: f64 = 30.0;
/// Starts of each contender in one round.
const STARTS: usize = 10;
/// How long a host gets to become idle before its memory is measured.
const REST: Duration = Duration::from_millis(500);
const MIB: f64 = (1 << 20) as f64;

/// The values of one contender in each round.
#[derive(Default)]
struct Measured {
    ready_ms: Vec<f64>,
    resident_mib: Vec<f64>,
    anonymous_mib: Vec<f64>,
}

/// Starts every contender several times in every round.
pub fn run(options: &Options) -> Result<Report> {
    let binary = options.host.clone().map_or_else(host::build, Ok)?;
    let mut report = Report::new(
        "start",
        &[
            "time    from before the host is started to its line `ready`: everything is loaded, probed and bound by then; of a",
            "        round, the median of ten starts. All four surfaces are on, the plugins are downcase and random-replies",
            "memory  half a second later: what it has written itself, and in all, which includes the pages of its own file that",
            "        it has touched and shares with every other process of that file",
        ],
    );
    let (full, bare) = (Launch::new(&binary, "")?, Launch::new(&binary, "")?);
    for name in ["downcase", "random-replies"] {
        full.put(name, &component(name)?)?;
    }
    drop(full.start()?);
    let has_flask = start_flask().is_ok();
    if !has_flask {
        report.skipped.push(format!("{FLASK}: pip install flask"));
    }

    let starts = if options.quick { 2 } else { STARTS };
    let [mut warm, mut cold, mut none] = [(); 3].map(|()| Measured::default());
    let mut flask_ms = Vec::new();
    for round in 1..=options.rounds() {
        eprintln!("round {round} of {}", options.rounds());
        let (mut warm_ms, mut cold_ms, mut none_ms, mut import_ms) = (vec![], vec![], vec![], vec![]);
        for _ in 0..starts {
            warm_ms.push(ms(full.start()?.ready_after));
            none_ms.push(ms(bare.start()?.ready_after));
            full.empty_cache()?;
            cold_ms.push(ms(full.start()?.ready_after));
            if has_flask {
                import_ms.push(ms(start_flask()?));
            }
        }
        warm.rest(&full)?;
        full.empty_cache()?;
        cold.rest(&full)?;
        none.rest(&bare)?;
        for (times, of) in [(warm_ms, &mut warm.ready_ms), (cold_ms, &mut cold.ready_ms), (none_ms, &mut none.ready_ms)]
        {
            of.push(Summary::of(times).median);
        }
        if has_flask {
            flask_ms.push(Summary::of(import_ms).median);
        }
    }

    let lines = |of: fn(&Measured) -> &Vec<f64>| {
        [(WARM, &warm), (COLD, &cold), (BARE, &none)].map(|(name, measured)| (name.to_owned(), of(measured).clone()))
    };
    let flask = has_flask.then(|| (FLASK.to_owned(), flask_ms));
    let absolute = |id, what: &str, values: &[f64], max| Ratio {
        id,
        what: what.to_owned(),
        ratio: Summary::of(values.iter().copied()),
        target: Some(Target::AtMost(max)).filter(|_| !options.quick),
    };
    report.ratios.push(absolute("P10", "start to ready, cache warm, ms", &warm.ready_ms, READY_MS_MAX));
    report.ratios.push(absolute("P10", "memory at rest, MiB", &warm.resident_mib, RESIDENT_MIB_MAX));
    report.tables.push(Table::of("start to ready", "ms", lines(|of| &of.ready_ms).into_iter().chain(flask)));
    report.tables.push(Table::of("memory at rest, in all", "MiB", lines(|of| &of.resident_mib)));
    report.tables.push(Table::of("memory at rest, written by the process", "MiB", lines(|of| &of.anonymous_mib)));
    Ok(report)
}

impl Measured {
    /// Starts the host once more, and measures its memory once it is idle.
    fn rest(&mut self, launch: &Launch) -> Result<()> {
        let running = launch.start()?;
        std::thread::sleep(REST);
        let resident = resident(running.id())?;
        self.resident_mib.push(resident.whole_bytes as f64 / MIB);
        self.anonymous_mib.push(resident.anonymous_bytes as f64 / MIB);
        Ok(())
    }
}

fn start_flask() -> Result<Duration> {
    let began = Instant::now();
    let mut command = Command::new("python3");
    command.args(["-c", "import flask"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().context("starting python3")?;
    anyhow::ensure!(status.success(), "python3 has no flask");
    Ok(began.elapsed())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
