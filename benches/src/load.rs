//! The load generators, each of which is a process.

use crate::figures::quantile;
use crate::traffic::{self, Route, Span};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A script that prints in one line: requests, microseconds, answers with an error status, broken connections.
const SUMMARY: &str = include_str!("load.lua");
/// The threads of wrk, not more than there are processors.
const THREADS_MAX: usize = 2;

/// The arguments of the built-in generator.
#[derive(Args)]
pub struct Arguments {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    path: String,
    /// The right answer
    #[arg(long)]
    body: String,
    #[arg(long)]
    connections: usize,
    #[arg(long)]
    milliseconds: u64,
    /// Requests per second; without it, a next request as soon as the one before it is answered
    #[arg(long)]
    rate: Option<u32>,
}

/// The results of a closed loop.
#[derive(Serialize, Deserialize)]
pub struct FlatOut {
    pub answers: u64,
    pub failures: u64,
    pub seconds: f64,
}

/// The results of a fixed rate; see [`traffic::at_rate`].
#[derive(Serialize, Deserialize)]
pub struct AtRate {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub answers: u64,
    pub failures: u64,
}

/// The process of the built-in generator.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { address, path, body, connections, milliseconds, rate } = arguments;
    let route = Route { address: *address, path, body: body.as_bytes() };
    let span = Span { warm_up: Duration::ZERO, measured: Duration::from_millis(*milliseconds) };
    let result = match *rate {
        None => {
            let (per_second, failures) = traffic::flat_out(&route, *connections, span)?;
            let seconds = span.measured.as_secs_f64();
            serde_json::to_string(&FlatOut { answers: (per_second * seconds).round() as u64, failures, seconds })
        }
        Some(rate) => {
            let latencies = traffic::at_rate(&route, rate, *connections, span)?;
            let ms = |q| quantile(&latencies.sorted, q).as_secs_f64() * 1e3;
            let (answers, failures) = (latencies.sorted.len() as u64, latencies.failures);
            serde_json::to_string(&AtRate { p50_ms: ms(0.5), p99_ms: ms(0.99), answers, failures })
        }
    };
    println!("{}", result?);
    Ok(())
}

/// The generator of a closed loop.
pub enum Generator {
    /// `wrk`, with its script.
    Wrk(PathBuf, tempfile::NamedTempFile),
    BuiltIn,
}

impl Generator {
    /// wrk if it is installed: it takes least of the processor time that the server needs.
    pub fn find() -> Result<Self> {
        let all = std::env::var_os("PATH").unwrap_or_default();
        let wrk = std::env::split_paths(&all).map(|directory| directory.join("wrk")).find(|path| path.is_file());
        let Some(wrk) = wrk else { return Ok(Self::BuiltIn) };
        let mut script = tempfile::NamedTempFile::with_suffix(".lua")?;
        script.write_all(SUMMARY.as_bytes())?;
        Ok(Self::Wrk(wrk, script))
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Wrk(..) => "wrk",
            Self::BuiltIn => "the built-in client (wrk is not installed)",
        }
    }

    /// Runs a closed loop: each connection sends its next request as soon as the one before it is answered. wrk runs
    /// for whole seconds, and checks only the status.
    pub fn flat_out(&self, route: &Route<'_>, connections: usize, span: Duration) -> Result<FlatOut> {
        let Self::Wrk(wrk, script) = self else { return built_in(route, connections, span, None) };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let output = Command::new(wrk)
            .arg(format!("-t{threads}"))
            .arg(format!("-c{connections}"))
            .arg(format!("-d{}s", span.as_secs().max(1)))
            .arg("-s")
            .arg(script.path())
            .arg(format!("http://{}{}", route.address, route.path))
            .output()
            .with_context(|| format!("starting {}", wrk.display()))?;
        ensure!(output.status.success(), "wrk: {}", String::from_utf8_lossy(&output.stderr));
        parse(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Runs an open loop with the built-in generator, because no generator that counts from the intended send time is
/// packaged everywhere.
pub fn at_rate(route: &Route<'_>, rate: u32, connections: usize, span: Duration) -> Result<AtRate> {
    built_in(route, connections, span, Some(rate))
}

fn built_in<T: for<'a> Deserialize<'a>>(
    route: &Route<'_>,
    connections: usize,
    span: Duration,
    rate: Option<u32>,
) -> Result<T> {
    let output = Command::new(std::env::current_exe()?)
        .args(["load", "--path", route.path, "--body", str::from_utf8(route.body)?])
        .args([format!("--address={}", route.address), format!("--connections={connections}")])
        .arg(format!("--milliseconds={}", span.as_millis()))
        .args(rate.map(|rate| format!("--rate={rate}")))
        .stderr(Stdio::inherit())
        .output()
        .context("starting the load generator")?;
    ensure!(output.status.success(), "the load generator: {}", output.status);
    serde_json::from_slice(&output.stdout).context("reading what the load generator says")
}

fn parse(output: &str) -> Result<FlatOut> {
    let line = output.lines().find_map(|line| line.strip_prefix("summary "));
    let numbers = line.map(|line| line.split(' ').map(str::parse::<u64>).collect::<Result<Vec<_>, _>>());
    let numbers = numbers.transpose().ok().flatten();
    let Some([requests, micros, statuses, broken]) = numbers.as_deref() else {
        anyhow::bail!("wrk says no summary:\n{output}");
    };
    ensure!(requests > statuses, "wrk got no answer");
    let answers = requests - statuses;
    Ok(FlatOut { answers, failures: statuses + broken, seconds: *micros as f64 / 1e6 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_no_answer() {
        let flat_out = parse("Running 1s test\nsummary 1000 2000000 100 3\n").expect("a summary");
        assert_eq!((flat_out.answers, flat_out.failures, flat_out.seconds), (900, 103, 2.0));
        assert!(parse("summary 5 1000000 5 0\n").is_err(), "nothing but errors");
        assert!(parse("unable to connect\n").is_err());
    }
}
