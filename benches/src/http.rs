//! The HTTP path: `/downcase/` with all features on, against the logic compiled in and against alternatives.

mod bare;
mod contender;
mod demo;
mod tidegate;
mod wasmtime;

use crate::client::Client;
use crate::figures::Summary;
use crate::load::{self, AtRate, FlatOut, Generator};
use crate::options::Options;
use crate::processor_time;
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use crate::traffic::Route;
use anyhow::{Context, Result, ensure};
use contender::{Contender, Running};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tidegate::{COMPILED_IN, COMPILED_IN_SILENT, FRESH, REUSED, TIDEGATE, TIDEGATE_SILENT};

const PATH: &str = "/downcase/?param=Hello%20World%20MiXeD";
const BODY: &[u8] = b"lower case of Hello World MiXeD is hello world mixed";
const CONNECTIONS: usize = 64;
/// How long to wait until a server answers and its publisher has its subscriber.
const READY_MAX: Duration = Duration::from_secs(20);
/// The length of the warm-up, and of the search for the rate.
const WARM_UP: Duration = Duration::from_secs(1);
/// The share of the sustained rate: enough to be a load, and far from a queue that only grows.
const RATE_PART: f64 = 0.4;
/// A contender that sustains less than this many times the rate is not measured at it.
const RATE_ROOM: f64 = 1.5;

/// One turn of one contender.
struct Turn {
    flat_out: FlatOut,
    processor_seconds: f64,
    /// The number of messages that the subscriber received, if there was one.
    messages: Option<u64>,
    /// The latencies; none if the contender does not sustain the rate.
    at_rate: Option<AtRate>,
}

/// How each turn is measured.
struct Load {
    generator: Generator,
    span: Duration,
    warm_up: Option<Duration>,
    /// Requests per second, determined in the first turn, which is that of the host with its default configuration.
    rate: Option<u32>,
}

/// Measures.
pub fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("http", &[]);
    let (mut contenders, missing) = tidegate::contenders(options)?;
    report.skipped.extend(missing);
    match bare::contender(options) {
        Ok(bare) => contenders.push(bare),
        Err(error) => report.skipped.push(format!("{}: {error:#}", bare::BARE_WARP)),
    }
    for others in [demo::contenders(&options.python), wasmtime::contenders(&options.wasmtime)] {
        match others {
            Ok(others) => contenders.extend(others),
            Err(missing) => report.skipped.push(missing),
        }
    }

    let mut load = Load {
        generator: Generator::find()?,
        span: Duration::from_secs(options.seconds()),
        warm_up: (!options.quick).then_some(WARM_UP),
        rate: None,
    };
    let mut turns: Vec<Vec<Turn>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 1..=options.rounds() {
        // The order alternates, so that a drift does not always favour the same contender.
        let mut order: Vec<_> = contenders.iter().zip(&mut turns).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for (contender, turns) in order {
            eprintln!("http: round {round} of {}: {}", options.rounds(), contender.name);
            turns.push(load.turn(contender).with_context(|| contender.name.to_owned())?);
        }
    }

    report.about = about(&load);
    fill(&mut report, &contenders, &turns);
    Ok(report)
}

fn about(load: &Load) -> Vec<String> {
    let (name, seconds, rate) = (load.generator.name(), load.span.as_secs(), load.rate.unwrap_or_default());
    let percent = RATE_PART * 100.0;
    vec![
        format!("GET {PATH} on {CONNECTIONS} connections over loopback; plugins/downcase.wasm, every call isolated unless said otherwise"),
        "with PUB on, one libzmq subscriber in a process of its own takes and counts every message; contenders take turns"
            .to_owned(),
        format!("throughput: closed loop, {seconds} s, by {name}; processor time is that of all processes of the server"),
        format!(
            "latency: open loop at {rate} requests/s, {percent:.0} % of what tidegate sustains, {seconds} s, by the built-in \
             client; counted from the intended send time, so that no stall is omitted"
        ),
    ]
}

/// Starts a server, and waits until it answers correctly and its messages arrive.
fn ready(contender: &Contender) -> Result<Running> {
    let mut running = contender.start()?;
    let began = Instant::now();
    loop {
        let answered = Client::connect(running.address, PATH).and_then(|mut client| {
            let answer = client.get()?;
            Ok((answer.status, answer.body.to_vec()))
        });
        match answered {
            Ok((status, body)) => {
                ensure!(
                    status == 200 && body == BODY,
                    "the answer is wrong: {status} {:?}",
                    String::from_utf8_lossy(&body)
                );
                let Some(tap) = &mut running.tap else { return Ok(running) };
                if tap.count()? > 0 {
                    return Ok(running);
                }
                ensure!(began.elapsed() < READY_MAX, "no message comes at {}", tap.endpoint);
            }
            Err(error) => ensure!(
                began.elapsed() < READY_MAX,
                "no answer from {}: {error}\n{}",
                running.address,
                running.server.complaint()
            ),
        }
        sleep(Duration::from_millis(10));
    }
}

impl Load {
    fn turn(&mut self, contender: &Contender) -> Result<Turn> {
        let mut running = ready(contender)?;
        if let Some(warm_up) = self.warm_up {
            self.generator.flat_out(&route(&running), CONNECTIONS, warm_up)?;
        }
        let rate = match self.rate {
            Some(rate) => rate,
            None => {
                let sustained = self.generator.flat_out(&route(&running), CONNECTIONS, WARM_UP)?;
                *self.rate.insert((per_second(&sustained) * RATE_PART).ceil() as u32)
            }
        };

        let settled = |running: &mut Running, least| running.tap.as_mut().map(|tap| tap.settled(least)).transpose();
        let (process, messages_before) = (running.server.process(), settled(&mut running, 0)?);
        let before = processor_time::seconds(process)?;
        let flat_out = self.generator.flat_out(&route(&running), CONNECTIONS, self.span)?;
        let messages = settled(&mut running, messages_before.unwrap_or_default() + flat_out.answers)?;
        let processor_seconds = processor_time::seconds(process)? - before;
        let messages = messages.zip(messages_before).map(|(after, before)| after - before);

        let at_rate = match per_second(&flat_out) > f64::from(rate) * RATE_ROOM {
            true => Some(load::at_rate(&route(&running), rate, CONNECTIONS, self.span)?),
            false => None,
        };
        Ok(Turn { flat_out, processor_seconds, messages, at_rate })
    }
}

fn route(running: &Running) -> Route<'static> {
    Route { address: running.address, path: PATH, body: BODY }
}

fn per_second(flat_out: &FlatOut) -> f64 {
    flat_out.answers as f64 / flat_out.seconds
}

/// Adds the tables and the targets to the report.
fn fill(report: &mut Report, contenders: &[Contender], turns: &[Vec<Turn>]) {
    let table = |measure: &str, unit, value: &dyn Fn(&Turn) -> Option<f64>| {
        let lines = contenders.iter().zip(turns).filter_map(|(contender, turns)| {
            Some((contender.name.to_owned(), turns.iter().map(value).collect::<Option<Vec<_>>>()?))
        });
        Table::of(measure, unit, lines)
    };
    let throughput = table("throughput", "requests/s", &|turn| Some(per_second(&turn.flat_out)));
    let per_answer = |turn: &Turn| turn.processor_seconds / turn.flat_out.answers as f64;
    let processor = table("processor time", "s per 100,000 requests", &|turn| Some(per_answer(turn) * 1e5));
    let p50 = table("latency p50 at the fixed rate", "ms", &|turn| Some(turn.at_rate.as_ref()?.p50_ms));
    let p99 = table("latency p99 at the fixed rate", "ms", &|turn| Some(turn.at_rate.as_ref()?.p99_ms));
    let failed = table("answers that were not right", "of both loops", &|turn| {
        Some((turn.flat_out.failures + turn.at_rate.as_ref().map_or(0, |at_rate| at_rate.failures)) as f64)
    });

    let at_least = |id, to, least| throughput.ratio(id, TIDEGATE, to, Some(Target::AtLeast(least)));
    let targets = [
        at_least("P1", COMPILED_IN, 0.92),
        throughput.ratio("P1b", TIDEGATE_SILENT, bare::BARE_WARP, Some(Target::AtLeast(0.85))),
        at_least("P2", TIDEGATE_SILENT, 0.92),
        at_least("P3", wasmtime::AS_IT_COMES, 6.0),
        at_least("P3", wasmtime::RECIPE, 2.5),
        at_least("P3", wasmtime::REUSED, 1.0),
        at_least("P3", demo::FLASK, 50.0),
        at_least("P3", demo::GUNICORN, 12.0),
        throughput.ratio("", TIDEGATE_SILENT, COMPILED_IN_SILENT, None),
        throughput.ratio("", REUSED, COMPILED_IN, None),
        throughput.ratio("", FRESH, COMPILED_IN, None),
    ];
    report.ratios.extend(targets.into_iter().flatten());
    let processor_ratio = processor.ratio("", TIDEGATE, COMPILED_IN, None);
    let named = processor_ratio.map(|ratio| Ratio { what: format!("processor time, {}", ratio.what), ..ratio });
    report.ratios.extend(named);
    for (contender, turns) in contenders.iter().zip(turns) {
        let share = |turn: &Turn| Some((turn.messages? as f64 / turn.flat_out.answers as f64).min(1.0));
        if let Some(shares) = turns.iter().map(share).collect::<Option<Vec<_>>>() {
            let what = format!("messages / answers, {}", contender.name);
            let target = contender.is_host.then_some(Target::AtLeast(1.0));
            report.ratios.push(Ratio { id: "", what, ratio: Summary::of(shares), target });
        }
    }
    let slow = contenders.iter().filter(|contender| p99.rounds(contender.name).is_none());
    report.skipped.extend(slow.map(|slow| format!("the latency of {}: the rate is too high for it", slow.name)));
    report.tables.extend([throughput, processor, p50, p99, failed]);
}
