//! Noisy neighbours: the effect of a plugin that loops on every call on latency and throughput of another plugin's
//! route.

use crate::figures::quantile;
use crate::host::{self, Host};
use crate::machine::Machine;
use crate::row::{Row, Target, print_rows};
use crate::traffic::{Crowd, Route, Span, at_rate, flat_out};
use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

const LOOP: &str = include_str!("loop.wat");
const CROWD: usize = 16;
/// So many connections that a request finds a free one, unless the host stalls.
const RATE_CONNECTIONS: usize = 16;
const FLAT_OUT_CONNECTIONS: usize = 4;
const WARM_UP: Duration = Duration::from_millis(500);
/// After this the first calls of the crowd have exceeded their deadline, and the plugin's burst allowance is used up.
const CROWD_WARM_UP: Duration = Duration::from_millis(1_500);
const P99_RATIO_MAX: f64 = 5.0;
const THROUGHPUT_RATIO_MIN: f64 = 0.5;

/// The options of the comparison.
#[derive(Args)]
pub struct Options {
    /// The binary to measure [default: cargo build --release -p host]
    #[arg(long, value_name = "PATH")]
    host: Option<PathBuf>,
    /// Two rounds of one second: whether it works, not what it measures
    #[arg(long)]
    quick: bool,
    /// Rounds, each of them quiet, then noisy [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// How long each measure of a round takes [default: 4]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// Requests per second while latency is measured
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
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

/// One configuration of the host, and the path that the crowd requests.
struct Variant {
    name: &'static str,
    about: &'static str,
    config: &'static str,
    crowd_path: &'static str,
    crowd_statuses: &'static [u16],
    /// Whether the variant has targets.
    judged: bool,
}

const VARIANTS: [Variant; 4] = [
    Variant {
        name: "no pauses",
        about: "rollback and pauses switched off, so that every call loops up to its deadline of 1000 ms",
        config: "[rollback]\nfailures = 0\n",
        crowd_path: "/loop/?param=x",
        crowd_statuses: &[503, 504],
        judged: true,
    },
    Variant {
        name: "no pauses, own limits",
        about: "the same, with call_deadline_ms 100 and cpu_percent_max 10 for the looping plugin",
        config: "[rollback]\nfailures = 0\n[plugins.loop.limits]\ncall_deadline_ms = 100\ncpu_percent_max = 10\n",
        crowd_path: "/loop/?param=x",
        crowd_statuses: &[503, 504],
        judged: false,
    },
    Variant {
        name: "pauses",
        about: "as the host comes: the looping plugin is paused, and the crowd ignores Retry-After",
        config: "",
        crowd_path: "/loop/?param=x",
        crowd_statuses: &[503, 504],
        judged: false,
    },
    Variant {
        name: "no plugin",
        about: "for comparison with that: the crowd asks for a route that does not exist, which costs HTTP alone",
        config: "",
        crowd_path: "/none/?param=x",
        crowd_statuses: &[404],
        judged: false,
    },
];

/// The results of one half of a round.
#[derive(Clone, Serialize)]
struct Half {
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    requests_per_second: f64,
    /// Wrong answers on the measured route.
    failures: u64,
}

#[derive(Serialize)]
struct Round {
    quiet: Half,
    noisy: Half,
}

#[derive(Serialize)]
struct Outcome {
    variant: &'static str,
    about: &'static str,
    config: &'static str,
    rows: Vec<Row>,
    /// The crowd's answers by status.
    crowd: BTreeMap<u16, u64>,
    failures: u64,
    /// Whether the targets are met; none if the variant has no targets.
    met: Option<bool>,
    rounds: Vec<Round>,
}

#[derive(Serialize)]
struct Report {
    comparison: &'static str,
    host: PathBuf,
    machine: Machine,
    rounds: u32,
    seconds: u64,
    requests_per_second: u32,
    outcomes: Vec<Outcome>,
}

/// Measures and prints. Returns false if a target was missed and `--judge` is given.
pub fn run(options: &Options) -> Result<bool> {
    let (rounds, seconds) = if options.quick { (2, 1) } else { (5, 4) };
    let (rounds, seconds) = (options.rounds.unwrap_or(rounds), options.seconds.unwrap_or(seconds));
    let span = Span { warm_up: WARM_UP, measured: Duration::from_secs(seconds) };
    let host = options.host.clone().map_or_else(host::build, Ok)?;
    let mut report = Report {
        comparison: "neighbours",
        machine: Machine::look(),
        rounds,
        seconds,
        requests_per_second: options.rate,
        outcomes: Vec::new(),
        host,
    };
    for variant in VARIANTS.iter().filter(|variant| options.only.as_ref().is_none_or(|only| only == variant.name)) {
        report.outcomes.push(measure(variant, &report.host, options.rate, rounds, span)?);
    }
    ensure!(!report.outcomes.is_empty(), "no variant has this name");
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print(&report),
    }
    Ok(!options.judge || report.outcomes.iter().all(|outcome| outcome.met != Some(false)))
}

fn measure(variant: &Variant, binary: &Path, rate: u32, rounds: u32, span: Span) -> Result<Outcome> {
    let directory = tempfile::tempdir()?;
    let looping = directory.path().join("loop.wat");
    std::fs::write(&looping, LOOP)?;
    let plugins = [("downcase", &*host::root().join("plugins/downcase.wasm")), ("loop", &*looping)];
    let host = Host::start(binary, &plugins, variant.config)?;
    let address = host.http()?;

    let mut crowd_answers = BTreeMap::new();
    let mut measured = Vec::new();
    for round in 1..=rounds {
        eprintln!("{}: round {round} of {rounds}", variant.name);
        let quiet = half(address, rate, span)?;
        let crowd = Crowd::start(address, variant.crowd_path, CROWD);
        sleep(CROWD_WARM_UP);
        let noisy = half(address, rate, span)?;
        for (status, count) in crowd.stop()? {
            ensure!(variant.crowd_statuses.contains(&status), "{} answered {status}", variant.crowd_path);
            *crowd_answers.entry(status).or_default() += count;
        }
        measured.push(Round { quiet, noisy });
    }

    let row = |measure, target: Option<Target>, value: fn(&Half) -> f64| {
        let pairs: Vec<_> = measured.iter().map(|round| (value(&round.quiet), value(&round.noisy))).collect();
        Row::of(measure, &pairs, target.filter(|_| variant.judged))
    };
    let rows = vec![
        row("p50, ms", None, |half| half.p50_ms),
        row("p99, ms", Some(Target::AtMost(P99_RATIO_MAX)), |half| half.p99_ms),
        row("p99.9, ms", None, |half| half.p999_ms),
        row("requests/s", Some(Target::AtLeast(THROUGHPUT_RATIO_MIN)), |half| half.requests_per_second),
    ];
    let failures = measured.iter().map(|round| round.quiet.failures + round.noisy.failures).sum();
    Ok(Outcome {
        variant: variant.name,
        about: variant.about,
        config: variant.config,
        met: variant.judged.then(|| failures == 0 && rows.iter().all(Row::is_met)),
        rows,
        crowd: crowd_answers,
        failures,
        rounds: measured,
    })
}

/// Measures latency, then throughput.
fn half(address: SocketAddr, rate: u32, span: Span) -> Result<Half> {
    let route = Route { address, path: "/downcase/?param=HeLLo", body: b"lower case of HeLLo is hello" };
    let latencies = at_rate(&route, rate, RATE_CONNECTIONS, span)?;
    let (requests_per_second, failures) = flat_out(&route, FLAT_OUT_CONNECTIONS, span)?;
    let ms = |q| quantile(&latencies.sorted, q).as_secs_f64() * 1e3;
    Ok(Half {
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        p999_ms: ms(0.999),
        requests_per_second,
        failures: failures + latencies.failures,
    })
}

fn print(report: &Report) {
    let Report { host, machine, rounds, seconds, requests_per_second, .. } = report;
    let load = machine.load_average.map_or("unknown".to_owned(), |load| load.to_string());
    println!(
        "neighbours: /downcase/ while {CROWD} connections ask for /loop/, which loops on every call, without pause
  host        {}
  machine     {} processors, shared by the host and the load generator; loopback; load average before: {load}
  latency     {requests_per_second} requests/s on {RATE_CONNECTIONS} connections, open loop: counted from the intended send
              time, so that no stall is left out (coordinated omission)
  throughput  closed loop on {FLAT_OUT_CONNECTIONS} connections
  rounds      {rounds}, each of them quiet, then noisy; {seconds} s for each measure
  figures     median over the rounds [min–max]; a ratio compares the halves of one round",
        host.display(),
        machine.processors,
    );
    for outcome in &report.outcomes {
        let crowd: Vec<_> = outcome.crowd.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        println!("\n{}: {}", outcome.variant, outcome.about);
        print_rows("quiet", "noisy", &outcome.rows);
        println!("  the crowd's answers: {}", crowd.join(", "));
        println!("  wrong or failed answers on /downcase/: {}", outcome.failures);
    }
}
