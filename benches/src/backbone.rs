//! The durable backbone: what the host stores in JetStream, against async-nats alone.

mod alone;
mod server;

use crate::host::{self, Host};
use crate::load::Generator;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::row::Target;
use crate::traffic::Route;
use alone::Alone;
use anyhow::{Context, Result, ensure};
use server::Server;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

const TIDEGATE: &str = "tidegate";
const ALONE: &str = "async-nats alone";
const MESSAGE_BYTES: usize = 100;
const MESSAGES_PER_SECOND: u64 = 50_000;
/// Sent and not acknowledged: of the host, its default.
const IN_FLIGHT: usize = 1_024;
const CONNECTIONS: usize = 64;
const STORED_MAX: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(5);
const SINKS: [&str; 2] = ["jetstream:orders.a", "jetstream:orders.b"];

/// Measures both ways in, with every contender in every round.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new(
        "backbone",
        &[
            &format!(
                "window      {MESSAGE_BYTES} bytes, {IN_FLIGHT} messages sent and not acknowledged: from PUSH by a flow into JetStream (until\n              the ledger has all of them stored), and by one task of async-nats"
            ),
            &format!(
                "each        a query of {MESSAGE_BYTES} bytes, {CONNECTIONS} at a time: HTTP that is answered once JetStream has it, through `downcase`,\n              and as many tasks of async-nats"
            ),
            "stream      one replica, in files, with ids; nats-server, and who sends, share the machine with the contender",
        ],
    );
    let Some(server) = Server::start()? else {
        report.skipped.push("there is no nats-server here: apt-get install nats-server".to_owned());
        return Ok(report);
    };
    let binary = options.host.clone().map_or_else(host::build, Ok)?;
    let (alone, generator) = (Alone::build()?, Generator::find()?);
    let messages = options.seconds() * MESSAGES_PER_SECOND;
    let mut rates: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 1..=options.rounds() {
        eprintln!("round {round} of {}", options.rounds());
        let host = start(&binary, &server)?;
        rates[0][0].push(messages as f64 / window(&host, messages)?);
        rates[1][0].push(each(&host, &generator, Duration::from_secs(options.seconds()))?);
        drop(host);
        rates[0][1].push(messages as f64 / alone.publish(&server, "window", messages, IN_FLIGHT)?);
        rates[1][1].push(messages as f64 / alone.publish(&server, "each", messages, CONNECTIONS)?);
    }
    for ((measure, id, least), rates) in [("window", "B1", 0.7), ("each", "B2", 0.5)].into_iter().zip(rates) {
        let table = Table::of(
            format!("{measure}: messages stored"),
            "1/s",
            [TIDEGATE, ALONE].map(str::to_owned).into_iter().zip(rates),
        );
        report.ratios.extend(table.ratio(id, TIDEGATE, ALONE, Some(Target::AtLeast(least))));
        report.tables.push(table);
    }
    Ok(report)
}

/// A host that stores what it pulls, and what `/downcase/` is asked.
fn start(binary: &Path, server: &Server) -> Result<Host> {
    let config = format!(
        "[nats]\nurl = '{}'\n[streams.orders]\nsubjects = ['orders.>']\n\
         [sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
         [flows.intake]\nfrom = ['in']\nto = ['{}']\nin_flight_max = {IN_FLIGHT}\n\
         [routes.downcase]\nto = ['{}']\n",
        server.url, SINKS[0], SINKS[1]
    );
    let plugin = host::root().join("plugins/downcase.wasm");
    Host::start_with(binary, &[("downcase", &plugin)], &config, &["--publish=none"])
}

/// The seconds until so many messages are stored that a PUSH sends as fast as they are taken.
fn window(host: &Host, messages: u64) -> Result<f64> {
    let socket = zmq::Context::new().socket(zmq::PUSH)?;
    socket.set_linger(0)?;
    socket.connect(host.place("in")?)?;
    let (body, began) = ([b'x'; MESSAGE_BYTES], Instant::now());
    for _ in 0..messages {
        socket.send_multipart([&b"eu"[..], &body], 0)?;
    }
    while host.figures(SINKS[0])?["out"].as_u64() < Some(messages) {
        ensure!(began.elapsed() < STORED_MAX, "not all of {messages} messages are stored");
        sleep(LOOK);
    }
    Ok(began.elapsed().as_secs_f64())
}

/// The requests a second that are answered, all of which are stored then.
fn each(host: &Host, generator: &Generator, time: Duration) -> Result<f64> {
    let (path, body) = (
        format!("/downcase/?param={:X<MESSAGE_BYTES$}", ""),
        format!("lower case of {:X<MESSAGE_BYTES$} is {:x<MESSAGE_BYTES$}", "", ""),
    );
    let route = Route { address: host.http()?, path: &path, body: body.as_bytes() };
    let answered = generator.flat_out(&route, CONNECTIONS, time)?;
    ensure!(answered.failures == 0, "{} requests failed", answered.failures);
    let stored = host.figures(SINKS[1])?["out"].as_u64().context("the sink has figures")?;
    ensure!(stored >= answered.answers, "{} requests are answered, and {stored} stored", answered.answers);
    Ok(answered.answers as f64 / answered.seconds)
}
