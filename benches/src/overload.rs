//! Overload: twice the load that can be sustained, against half of it.

use crate::figures::{Summary, quantile};
use crate::host::{self, Host};
use crate::machine::Machine;
use crate::traffic::{Kind, Route, Sample, Span, flat_out, samples_at_rate};
use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BUSY: &str = include_str!("busy.wat");
/// Just enough connections to keep every processor busy, so that the sustained rate is measured without a queue.
const FLAT_OUT_CONNECTIONS: usize = 8;
/// So many connections that a request finds a free one even while the host delays answers.
const RATE_CONNECTIONS: usize = 300;
const WARM_UP: Duration = Duration::from_millis(500);
const P99_RATIO_MAX: f64 = 5.0;
const RECOVERY_MAX: Duration = Duration::from_secs(1);
/// The window over which it is judged whether the host has recovered.
const WINDOW: Duration = Duration::from_millis(100);

/// The options of the comparison.
#[derive(Args)]
pub struct Options {
    /// The binary to measure [default: cargo build --release -p host]
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
    /// One round of two seconds: whether it works, not what it measures
    #[arg(long)]
    quick: bool,
    /// Rounds, each of them half the load, twice the load, and half again [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// How long each measure of a round takes [default: 8]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// Configuration to measure with, such as `http.queue_delay_ms_max = 0`
    #[arg(long, value_name = "TOML", default_value = "")]
    config: String,
    /// Only this variant, by the name that the table gives it
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Write JSON instead of a table
    #[arg(long)]
    json: bool,
    /// End with 3 if a target is missed
    #[arg(long)]
    judge: bool,
}

/// The path that the load requests.
struct Variant {
    name: &'static str,
    about: &'static str,
    path: &'static str,
    body: &'static [u8],
}

const VARIANTS: [Variant; 4] = [
    Variant { name: "1 ms", about: "calls that count to 1 million", path: "/busy1/?param=x", body: b"done" },
    Variant { name: "3 ms", about: "calls that count to 3 million", path: "/busy3/?param=x", body: b"done" },
    Variant { name: "20 ms", about: "calls that count to 20 million", path: "/busy20/?param=x", body: b"done" },
    Variant {
        name: "downcase",
        about: "calls of some microseconds, so that HTTP itself is the load",
        path: "/downcase/?param=HeLLo",
        body: b"lower case of HeLLo is hello",
    },
];

/// The results of one round.
#[derive(Clone, Serialize)]
struct Round {
    sustained_per_second: f64,
    half_p99_ms: f64,
    /// Latencies of the requests that were accepted at twice the sustained rate, from the first request on.
    double_p99_ms: f64,
    double_accepted_per_second: f64,
    double_turned_away: f64,
    recovery_ms: f64,
    wrong: u64,
}

#[derive(Serialize)]
struct Outcome {
    variant: &'static str,
    about: &'static str,
    met: bool,
    p99_ratio: Summary,
    rounds: Vec<Round>,
}

#[derive(Serialize)]
struct Report {
    comparison: &'static str,
    host: PathBuf,
    machine: Machine,
    seconds: u64,
    outcomes: Vec<Outcome>,
}

/// Measures and prints. Returns whether all targets were met.
pub fn run(options: &Options) -> Result<bool> {
    let (rounds, seconds) = if options.quick { (1, 2) } else { (3, 8) };
    let (rounds, seconds) = (options.rounds.unwrap_or(rounds), options.seconds.unwrap_or(seconds));
    let host = options.host.clone().map_or_else(host::build, Ok)?;
    let mut report = Report { comparison: "overload", machine: Machine::look(), seconds, outcomes: Vec::new(), host };
    for variant in VARIANTS.iter().filter(|variant| options.only.as_ref().is_none_or(|only| only == variant.name)) {
        report.outcomes.push(measure(variant, &report.host, &options.config, rounds, Duration::from_secs(seconds))?);
    }
    ensure!(!report.outcomes.is_empty(), "no variant has this name");
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print(&report),
    }
    Ok(!options.judge || report.outcomes.iter().all(|outcome| outcome.met))
}

fn measure(variant: &Variant, binary: &Path, config: &str, rounds: u32, seconds: Duration) -> Result<Outcome> {
    let directory = tempfile::tempdir()?;
    let mut plugins = vec![("downcase", host::root().join("plugins/downcase.wasm"))];
    for (name, steps) in [("busy1", "1000000"), ("busy3", "3000000"), ("busy20", "20000000")] {
        let path = directory.path().join(format!("{name}.wat"));
        std::fs::write(&path, BUSY.replace("STEPS", steps))?;
        plugins.push((name, path));
    }
    let plugins: Vec<_> = plugins.iter().map(|(name, path)| (*name, &**path)).collect();
    let host = Host::start(binary, &plugins, config)?;
    let route = Route { address: host.http()?, path: variant.path, body: variant.body };

    let mut measured = Vec::new();
    for round in 1..=rounds {
        eprintln!("{}: round {round} of {rounds}", variant.name);
        measured.push(measure_round(&route, seconds)?);
    }
    let p99_ratio = Summary::of(measured.iter().map(|round| round.double_p99_ms / round.half_p99_ms));
    let met = p99_ratio.median <= P99_RATIO_MAX
        && measured.iter().all(|round| round.wrong == 0 && round.recovery_ms <= RECOVERY_MAX.as_secs_f64() * 1e3);
    Ok(Outcome { variant: variant.name, about: variant.about, met, p99_ratio, rounds: measured })
}

fn measure_round(route: &Route<'_>, seconds: Duration) -> Result<Round> {
    let (sustained, _) = flat_out(route, FLAT_OUT_CONNECTIONS, Span { warm_up: WARM_UP, measured: seconds })?;
    let at = |part: f64| samples_at_rate(route, (sustained * part).max(1.0) as u32, RATE_CONNECTIONS, seconds);
    let (half, double, after) = (at(0.5)?, at(2.0)?, at(0.5)?);
    let half_p99 = p99(&half)?;
    let count = |kind| double.iter().filter(|sample| sample.kind == kind).count() as f64;
    Ok(Round {
        sustained_per_second: sustained,
        half_p99_ms: half_p99.as_secs_f64() * 1e3,
        double_p99_ms: p99(&double)?.as_secs_f64() * 1e3,
        double_accepted_per_second: count(Kind::Right) / seconds.as_secs_f64(),
        double_turned_away: count(Kind::TurnedAway) / double.len() as f64,
        recovery_ms: recovery(&after, half_p99.mul_f64(P99_RATIO_MAX)).as_secs_f64() * 1e3,
        wrong: [&half, &double, &after].iter().flat_map(|all| all.iter()).filter(|s| s.kind == Kind::Wrong).count()
            as u64,
    })
}

/// The latencies of the right answers, sorted.
fn p99(samples: &[Sample]) -> Result<Duration> {
    let right = samples.iter().filter(|sample| sample.kind == Kind::Right);
    let mut latencies: Vec<_> = right.map(|sample| sample.latency).collect();
    ensure!(!latencies.is_empty(), "there was no right answer");
    latencies.sort_unstable();
    Ok(quantile(&latencies, 0.99))
}

/// Until when, after the burst, requests were turned away or half of them took longer than `latency_max`: the end of
/// the last window in which that was so.
fn recovery(samples: &[Sample], latency_max: Duration) -> Duration {
    let window = |sample: &Sample| sample.offset.div_duration_f64(WINDOW) as usize;
    let mut windows = vec![(0, 0, 0); samples.iter().map(window).max().unwrap_or(0) + 1];
    for sample in samples {
        let (all, late, turned_away) = &mut windows[window(sample)];
        *all += 1;
        *late += u32::from(sample.latency > latency_max);
        *turned_away += u32::from(sample.kind != Kind::Right);
    }
    let bad = windows.iter().rposition(|(all, late, turned_away)| late * 2 > *all || *turned_away > 0);
    bad.map_or(Duration::ZERO, |last| WINDOW * (last as u32 + 1))
}

fn print(report: &Report) {
    let Report { host, machine, seconds, .. } = report;
    let load = machine.load_average.map_or("unknown".to_owned(), |load| load.to_string());
    println!(
        "overload: one route at twice the rate that it sustains
  host        {}
  machine     {} processors, shared by the host and the load generator; loopback; load average before: {load}
  sustained   closed loop on {FLAT_OUT_CONNECTIONS} connections
  load        open loop on {RATE_CONNECTIONS} connections, {seconds} s each: half the sustained rate, twice, and half again at once;
              latency counts from the intended send time, and the first moments of the burst are in it
  recovered   after the last {} ms in which a request was turned away or half of them took over {P99_RATIO_MAX} times p99 at half
  figures     median over the rounds [min–max]; a ratio compares the halves of one round",
        host.display(),
        machine.processors,
        WINDOW.as_millis(),
    );
    for outcome in &report.outcomes {
        let row = |measure: &str, value: fn(&Round) -> f64, target: &str| {
            let line =
                format!("  {measure:32}{:28}{target}", Summary::of(outcome.rounds.iter().map(value)).to_string());
            println!("{}", line.trim_end());
        };
        println!("\n{}: {}", outcome.variant, outcome.about);
        row("sustained, requests/s", |round| round.sustained_per_second, "");
        row("p99 at half, ms", |round| round.half_p99_ms, "");
        row("p99 of the accepted at twice, ms", |round| round.double_p99_ms, "");
        println!("  {:32}{:28}≤ {P99_RATIO_MAX}", "ratio", outcome.p99_ratio.to_string());
        row("accepted at twice, requests/s", |round| round.double_accepted_per_second, "");
        row("turned away at twice, %", |round| round.double_turned_away * 100.0, "");
        row("recovered after, ms", |round| round.recovery_ms, "≤ 1000");
        row("wrong answers", |round| round.wrong as f64, "0");
        println!("  targets: {}", if outcome.met { "met" } else { "missed" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_is_the_end_of_the_last_bad_window() {
        let ms = Duration::from_millis;
        let sample = |offset, latency, kind| Sample { offset: ms(offset), latency: ms(latency), kind };
        let mut samples = vec![
            sample(10, 1, Kind::TurnedAway),
            sample(110, 1, Kind::Right),
            sample(210, 90, Kind::Right),
            sample(310, 1, Kind::Right),
            sample(311, 1, Kind::Right),
            sample(312, 90, Kind::Right),
        ];
        assert_eq!(recovery(&samples, ms(50)), ms(300));
        samples.truncate(2);
        assert_eq!(recovery(&samples, ms(50)), ms(100));
        assert_eq!(recovery(&samples[1..], ms(50)), ms(0));
    }
}
