//! Four workers behind `/score/`, against the same that are asked directly, and against Flask with REQ in front of them.

use super::pool;
use crate::client::Client;
use crate::host::Host;
use crate::load::Generator;
use crate::options::Options;
use crate::peer::{Answered, Asker, PoolWorkers, Process, WorkerProtocol};
use crate::python;
use crate::report::{Report, Table};
use crate::row::Target;
use crate::traffic::Route;
use anyhow::{Result, ensure};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

pub const ABOUT: &str = "front  4 native workers, closed loop of 64: over HTTP by GET /score/?param=hello, or 64 requests over one \
                         DEALER; `1 ms` keeps a processor busy for each message, so that the workers are the limit";

const WORKERS: usize = 4;
const OUTSTANDING: usize = 64;
const BODY: &str = "hello";
const PATH: &str = "/score/?param=hello";
const READY_MAX: Duration = Duration::from_secs(20);

const HOST: &str = "tidegate";
const DIRECT: &str = "DEALER, no HTTP";
const FLASK: &str = "Flask, REQ and REP";

/// Measures with work and without in every round.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let python = python::check(&options.python, "flask, zmq");
    if let Err(reason) = &python {
        report.skipped.push(format!("{FLASK}: {reason}"));
    }
    let generator = Generator::find()?;
    for (name, work) in [("1 ms", Duration::from_millis(1)), ("no work", Duration::ZERO)] {
        let (mut host, mut direct, mut flask) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=options.rounds() {
            eprintln!("workers, {name}: round {round} of {}", options.rounds());
            host.push(behind_host(options, binary, &generator, work)?);
            direct.push(asked_directly(options, work)?);
            if python.is_ok() {
                flask.push(behind_flask(options, &generator, work)?);
            }
        }
        let lines = [(HOST, host), (DIRECT, direct), (FLASK, flask)];
        let lines = lines.into_iter().filter(|(_, rounds)| !rounds.is_empty());
        let lines = lines.map(|(name, rounds)| (name.to_owned(), rounds));
        let table = Table::of(format!("answers of four workers, {name}"), "1/s", lines);
        let is_limit = !work.is_zero();
        report.ratios.extend(table.ratio("W1", HOST, DIRECT, is_limit.then_some(Target::AtLeast(0.8))));
        report.ratios.extend(table.ratio("W2", HOST, FLASK, (!is_limit).then_some(Target::AtLeast(5.0))));
        report.tables.push(table);
    }
    Ok(())
}

fn behind_host(options: &Options, binary: &Path, generator: &Generator, work: Duration) -> Result<f64> {
    let route = "[routes.score]\nthrough = ['workers.score']\nto = []\n";
    let flags = ["--publish=none", "--admin=none"];
    let host = Host::start_with(binary, &[], &format!("{}{route}", pool("")), &flags)?;
    let _workers = workers(host.place("workers.score")?, WorkerProtocol::Majordomo, work)?;
    by_http(options, generator, host.http()?)
}

fn behind_flask(options: &Options, generator: &Generator, work: Duration) -> Result<f64> {
    let directory = tempfile::tempdir()?;
    let endpoint = format!("ipc://{}/workers", directory.path().display());
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = python::script(&options.python, "flask_req.py");
    command.env("PORT", address.port().to_string()).env("WORKERS", &endpoint);
    let _flask = Process::start(command.stderr(std::process::Stdio::null()))?;
    let _workers = workers(&endpoint, WorkerProtocol::Rep, work)?;
    by_http(options, generator, address)
}

fn asked_directly(options: &Options, work: Duration) -> Result<f64> {
    let mut asker = Process::peer(Asker::arguments(OUTSTANDING, options.seconds(), BODY))?;
    let endpoint = asker.wait_for("ready")?;
    let _workers = workers(&endpoint, WorkerProtocol::Rep, work)?;
    let Answered { answers, seconds } = serde_json::from_str(&asker.wait_for("end")?)?;
    Ok(answers as f64 / seconds)
}

fn workers(endpoint: &str, protocol: WorkerProtocol, work: Duration) -> Result<Process> {
    let mut workers = Process::peer(PoolWorkers::arguments(endpoint, WORKERS, protocol, (work, Duration::ZERO)))?;
    workers.wait_for("ready")?;
    Ok(workers)
}

/// Answers per second, once a right one has come.
fn by_http(options: &Options, generator: &Generator, address: SocketAddr) -> Result<f64> {
    let began = Instant::now();
    loop {
        let answer = Client::connect(address, PATH).and_then(|mut client| {
            let answer = client.get()?;
            Ok((answer.status, answer.body.to_vec()))
        });
        match answer {
            Ok((200, body)) => {
                ensure!(body == BODY.as_bytes(), "the answer is {:?}", String::from_utf8_lossy(&body));
                break;
            }
            other => ensure!(began.elapsed() < READY_MAX, "no answer from {address}: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let route = Route { address, path: PATH, body: BODY.as_bytes() };
    let flat_out = generator.flat_out(&route, OUTSTANDING, Duration::from_secs(options.seconds()))?;
    // Those that are turned away are no answers: a debug build is told to answer more than it can.
    Ok(flat_out.answers as f64 / flat_out.seconds)
}
