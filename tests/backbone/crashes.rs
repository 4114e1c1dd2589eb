//! Crashes: hosts and servers are killed again and again while numbered messages go from ZeroMQ through JetStream to ZeroMQ.

use super::nats::Nats;
use crate::fixtures;
use crate::flows::unconnected;
use crate::harness::{Host, LONG_PATIENCE, Setup, wait_up_to};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many messages go through; the more, the more is in flight at each kill.
fn count() -> usize {
    std::env::var("TIDEGATE_CRASH_MESSAGES").map_or(6_000, |text| text.parse().expect("a number"))
}

const SENDERS: usize = 4;
/// Requests of a sender that are not answered.
const WINDOW: usize = 100;
const HOST_KILLS: usize = 5;
const NATS_KILLS: usize = 3;
/// After so many silences of this time the worker connects anew.
const SILENCE_MS: i32 = 100;
const SILENCES_MAX: usize = 15;

fn config(nats: &Nats, frontend: &str, pool: &str) -> String {
    format!(
        "[messaging]\nfrontend = '{frontend}'\n{}[streams.orders.consumers.tidegate]\nack_wait_ms = 1000\n\
         [workers.pool]\nbind = ['{pool}']\nin_flight_per_worker_max = 50\n\
         [flows.intake]\nfrom = ['frontend']\nthrough = ['named']\nto = ['jetstream:orders.kept']\nin_flight_max = 256\n\
         [flows.outtake]\nfrom = ['jetstream:orders/tidegate']\nthrough = ['workers.pool']\nto = ['publish']\n",
        nats.config()
    )
}

fn start(nats: &Nats, frontend: &str, pool: &str) -> Host {
    let config = config(nats, frontend, pool);
    let own = Setup::configured().with(&["--http=127.0.0.1:0", "--publish=tcp://127.0.0.1:*"]);
    own.plugin("named", &fixtures::named_by_body()).config(&config).start()
}

/// Asks for each number until it is answered, whatever dies meanwhile.
fn send(endpoint: String, numbers: Vec<usize>, answered: Arc<AtomicUsize>) {
    let mut left: BTreeSet<_> = numbers.into_iter().collect();
    while !left.is_empty() {
        let client = unconnected(zmq::DEALER);
        client.set_rcvtimeo(1_000).unwrap();
        client.connect(&endpoint).unwrap();
        let mut rest = left.clone().into_iter();
        let mut ask = || rest.next().is_some_and(|number| client.send_multipart(["", &number.to_string()], 0).is_ok());
        for _ in 0..WINDOW {
            ask();
        }
        // A host that was killed has lost what it had not answered; then all of it is asked for again.
        while let Ok(frames) = client.recv_multipart(0) {
            let number = std::str::from_utf8(frames.last().unwrap()).unwrap().parse().unwrap();
            answered.fetch_add(usize::from(left.remove(&number)), Ordering::Relaxed);
            ask();
        }
    }
}

/// What the worker has seen.
#[derive(Default)]
struct Seen {
    /// How often each number.
    numbers: Mutex<BTreeMap<usize, u64>>,
    /// How often nothing came for a while.
    silences: AtomicUsize,
}

impl Seen {
    fn total(&self) -> u64 {
        self.numbers.lock().unwrap().values().sum()
    }

    /// Waits until all has been read that a host sent which has ended.
    fn drained(&self) {
        // The first may have begun before.
        let until = self.silences.load(Ordering::Relaxed) + 2;
        wait_up_to(LONG_PATIENCE, "a silence", || (self.silences.load(Ordering::Relaxed) >= until).then_some(()));
    }
}

/// Answers whatever it is given.
fn work(endpoint: &str, seen: &Seen, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let worker = unconnected(zmq::DEALER);
        worker.set_rcvtimeo(SILENCE_MS).unwrap();
        worker.connect(endpoint).unwrap();
        worker.send_multipart([&b"MDPW02"[..], b"\x01", b"pool"], 0).unwrap();
        let mut silences = 0;
        while silences < SILENCES_MAX && !is_over.load(Ordering::Relaxed) {
            let Ok(frames) = worker.recv_multipart(0) else {
                silences += 1;
                seen.silences.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            silences = 0;
            match frames.get(1).map(|command| command[0]) {
                Some(2) => {
                    let body = frames.last().unwrap();
                    let number = std::str::from_utf8(body).unwrap().parse().unwrap();
                    *seen.numbers.lock().unwrap().entry(number).or_default() += 1;
                    let _ = worker.send_multipart([&b"MDPW02"[..], b"\x04", &frames[2], b"", body], 0);
                }
                Some(5) => drop(worker.send_multipart([&b"MDPW02"[..], b"\x05"], 0)),
                _ => break,
            }
        }
    }
}

/// What the ledger of a host says of messages that were delivered again.
fn redelivered(host: &Host) -> u64 {
    host.ledger()["hops"]["jetstream:orders/tidegate.redelivered"]["in"].as_u64().unwrap()
}

#[test]
fn nothing_is_lost_and_repeats_are_redeliveries() {
    let Some(mut nats) = Nats::start() else { return };
    let count = count();
    let mut host = start(&nats, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
    let [frontend, pool] = ["frontend", "workers.pool"].map(|surface| host.surface(surface).to_owned());
    let (answered, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let seen = Arc::new(Seen::default());
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (endpoint, answered) = (frontend.clone(), Arc::clone(&answered));
            let numbers = (sender..count).step_by(SENDERS).collect();
            std::thread::spawn(move || send(endpoint, numbers, answered))
        })
        .collect();
    let worker = {
        let (endpoint, seen, is_over) = (pool.clone(), Arc::clone(&seen), Arc::clone(&is_over));
        std::thread::spawn(move || work(&endpoint, &seen, &is_over))
    };
    let kills = HOST_KILLS + NATS_KILLS;
    let mut told = 0;
    for kill in 0..kills {
        // Each at another part of the way.
        let until = count * (kill + 1) / (kills + 1);
        let began = Instant::now();
        while answered.load(Ordering::Relaxed) < until {
            assert!(began.elapsed() < Duration::from_secs(120), "{} of {until}", answered.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(5));
        }
        if kill % 3 == 2 {
            nats.kill();
            nats.run();
        } else {
            // What is delivered again between the two is told by nobody.
            let before = seen.total();
            told += redelivered(&host);
            host.process.signal("KILL");
            host.process.wait();
            seen.drained();
            told += seen.total() - before;
            host = start(&nats, &frontend, &pool);
        }
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    nats.wait_for_acknowledged("orders", "tidegate", Duration::from_secs(120));
    is_over.store(true, Ordering::Relaxed);
    told += redelivered(&host);
    worker.join().unwrap();
    let seen = seen.numbers.lock().unwrap();
    assert!(seen.keys().copied().eq(0..count), "{} of {count} were seen", seen.len());
    // The window in which JetStream knows a message again by its id is longer than this takes.
    assert_eq!(nats.count("orders"), Some(count as u64), "each is stored once");
    let repeats = seen.values().sum::<u64>() - count as u64;
    println!(
        "{count} messages, {HOST_KILLS} kills of the host and {NATS_KILLS} of NATS: {repeats} repeats, {told} redelivered"
    );
    assert!(repeats <= told, "{repeats} came again, and the ledgers say that {told} were delivered again");
    assert_eq!(host.stop(), 0);
}
