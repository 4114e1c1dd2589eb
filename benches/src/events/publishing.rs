//! What is published while clients follow events, against what is published without any.

use super::NO_TOPIC;
use super::source::{self, Source};
use crate::idle::{Crowd, Idle};
use crate::options::Options;
use crate::peer::{EventFollowers, MESSAGE_BYTES, Process};
use crate::report::{Report, Table};
use crate::row::Target;
use anyhow::{Context, Result};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const ABOUT: &str = "publishing  a flow carries what it can from PULL to PUB, of which nothing is lost: alone; to events as well, with 1,000 \
                         clients of another topic; and the same while 1,000 clients get 100 messages/s of it";

const CLIENTS: usize = 1_000;
const RATE: u32 = 100;
const RATIO_MIN: f64 = 0.95;
const WARM_UP: Duration = Duration::from_millis(500);
/// If nothing comes for this long, nothing will.
const PATIENCE_MS: i32 = 20_000;
const SEND_MAX_MS: i32 = 100;
const NAMES: [&str; 3] = ["no events", "events, idle clients", "events, clients that get 100/s"];

/// Measures all three in every round.
pub fn measure(options: &Options, binary: &Path, report: &mut Report) -> Result<()> {
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for round in 1..=options.rounds() {
        for (at, rates) in rates.iter_mut().enumerate() {
            eprintln!("publishing: round {round} of {}: {}", options.rounds(), NAMES[at]);
            rates.push(match at {
                0 => alone(options, binary)?,
                1 => with_idle_clients(options, binary)?,
                _ => with_clients(options, binary)?,
            });
        }
    }
    let lines = NAMES.iter().map(|&name| name.to_owned()).zip(rates);
    let table = Table::of("publishing: messages that arrive", "1/s", lines);
    report.ratios.extend(table.ratio("E4", NAMES[1], NAMES[0], Some(Target::AtLeast(RATIO_MIN))));
    report.ratios.extend(table.ratio("", NAMES[2], NAMES[0], None));
    report.tables.push(table);
    Ok(())
}

fn alone(options: &Options, binary: &Path) -> Result<f64> {
    let ends = Ends::bind()?;
    let host = source::start(binary, &ends.flow("['out']"))?;
    let rate = ends.flood(options);
    drop(host);
    rate
}

fn with_idle_clients(options: &Options, binary: &Path) -> Result<f64> {
    let ends = Ends::bind()?;
    let source = Source::start(binary, &ends.flow("['out', 'events']"))?;
    let address = source.host.http()?;
    let mut crowd = Crowd::default();
    crowd.grow(clients(options), |count| Idle::Streams { address, topic: NO_TOPIC.to_owned(), count })?;
    ends.flood(options)
}

fn with_clients(options: &Options, binary: &Path) -> Result<f64> {
    let ends = Ends::bind()?;
    let source = Source::start(binary, &ends.flow("['out', 'events']"))?;
    // These take whatever comes until they are ended.
    let arguments = EventFollowers::arguments(source.host.http()?, "0", clients(options), u64::MAX, 0);
    let mut followers = Process::peer(arguments)?;
    followers.wait_for("ready")?;
    let messages = u64::from(RATE) * (options.seconds() + 1);
    let ticks = thread::spawn(move || source.send(messages, RATE, MESSAGE_BYTES).map(|()| source));
    let rate = ends.flood(options);
    ticks.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    rate
}

fn clients(options: &Options) -> usize {
    if options.quick { CLIENTS / 10 } else { CLIENTS }
}

/// What the flow reads and what reads what it publishes.
struct Ends {
    sender: zmq::Socket,
    receiver: zmq::Socket,
}

impl Ends {
    fn bind() -> Result<Self> {
        let ends =
            Self { sender: zmq::Context::new().socket(zmq::PUSH)?, receiver: zmq::Context::new().socket(zmq::SUB)? };
        ends.receiver.set_subscribe(b"")?;
        ends.receiver.set_rcvtimeo(PATIENCE_MS)?;
        ends.sender.set_sndtimeo(SEND_MAX_MS)?;
        for socket in [&ends.sender, &ends.receiver] {
            socket.set_linger(0)?;
            socket.bind("tcp://127.0.0.1:*")?;
        }
        Ok(ends)
    }

    /// The flow between them.
    fn flow(&self, to: &str) -> String {
        let place = |socket: &zmq::Socket| socket.get_last_endpoint().ok().and_then(Result::ok).unwrap_or_default();
        format!(
            "[sockets.in]\ntype = 'pull'\nconnect = ['{}']\n[sockets.out]\ntype = 'pub'\nconnect = ['{}']\non_full = 'block'\n\
             [flows.all]\nfrom = ['in']\nto = {to}\n",
            place(&self.sender),
            place(&self.receiver),
        )
    }

    /// How many messages come through in a second, if the sender never stops.
    fn flood(self, options: &Options) -> Result<f64> {
        let Self { sender, receiver } = self;
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let is_over = &is_over;
            scope.spawn(move || {
                // A send that waits for too long fails, so that this sees the end.
                while !is_over.load(Ordering::Relaxed) {
                    let _ = sender.send(&[b'A'; MESSAGE_BYTES][..], 0);
                }
            });
            let rate = count(&receiver, WARM_UP).and_then(|_| count(&receiver, Duration::from_secs(options.seconds())));
            is_over.store(true, Ordering::Relaxed);
            rate
        })
    }
}

/// How many messages come in a second.
fn count(receiver: &zmq::Socket, time: Duration) -> Result<f64> {
    let mut message = zmq::Message::new();
    let (began, mut messages) = (Instant::now(), 0);
    while began.elapsed() < time {
        receiver.recv(&mut message, 0).context("nothing is published")?;
        messages += 1;
    }
    Ok(f64::from(messages) / began.elapsed().as_secs_f64())
}
